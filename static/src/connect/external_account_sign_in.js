import { Component, onWillUnmount, useState } from "@odoo/owl";

import { browser } from "@web/core/browser/browser";
import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { useService } from "@web/core/utils/hooks";
import { standardWidgetProps } from "@web/views/widgets/standard_widget_props";

/** By which the page after a sign-in, in another tab, tells the window: static/page/sign_in.js. */
export const CHANNEL = "mail_external_account.sign_in";
/** Tells the test of a connect window to begin: external_account_test.js. */
export const SIGNED_IN = "EXTERNAL-ACCOUNT:SIGNED-IN";

/**
 * "Sign in with ..." of the connect window: what is offered, or what is missing; who is signed
 * in; and the way back to a password. The service's page opens in another tab. Neither tab gets
 * hold of the other: they speak through a channel, in which only Odoo's own pages are.
 */
export class ExternalAccountSignIn extends Component {
    static template = "mail_external_account.ExternalAccountSignIn";
    static props = { ...standardWidgetProps };

    setup() {
        super.setup();
        this.orm = useService("orm");
        this.state = useState({
            /** The address that was opened: for browsers that open no tab by themselves. */
            waitsFor: "",
            isBusy: false,
        });
        this.channel = new browser.BroadcastChannel(CHANNEL);
        this.channel.onmessage = ({ data }) => this.onMessage(data);
        onWillUnmount(() => this.channel.close());
    }

    get data() {
        return this.props.record.data;
    }

    get isSignIn() {
        return this.data.auth_method === "oauth2";
    }

    get buttonText() {
        return this.data.is_signed_in
            ? _t("Sign in again")
            : _t("Sign in with %s", this.data.sign_in_service);
    }

    get signedInText() {
        return this.data.signed_in_as
            ? _t("Signed in as %s", this.data.signed_in_as)
            : _t("Signed in");
    }

    get registerUrl() {
        return "/odoo/action-mail_external_account.mail_external_application_action";
    }

    async onClickSignIn() {
        await this.once(async () => {
            const { record } = this.props;
            if (!(await record.save({ reload: false }))) {
                return;
            }
            const { url } = await this.call("action_sign_in");
            this.state.waitsFor = url;
            browser.open(url, "_blank", "noopener,noreferrer");
            await record.load();
        });
    }

    async onClickUsePassword() {
        await this.once(async () => {
            const { record } = this.props;
            if (await record.save({ reload: false })) {
                await this.call("action_use_password");
                this.state.waitsFor = "";
                await record.load();
            }
        });
    }

    /** One click, one sign-in. */
    async once(work) {
        if (this.state.isBusy) {
            return;
        }
        this.state.isBusy = true;
        try {
            await work();
        } finally {
            this.state.isBusy = false;
        }
    }

    call(method) {
        const { resId, resModel } = this.props.record;
        return this.orm.call(resModel, method, [[resId]]);
    }

    /** @param {{ done?: number }} data the window for which somebody has signed in, or has not */
    async onMessage(data) {
        const { record } = this.props;
        if (!record.resId || data?.done !== record.resId) {
            return;
        }
        this.channel.postMessage({ taken: record.resId });
        this.state.waitsFor = "";
        // What was typed meanwhile is kept; the server says whether it is for that sign-in.
        if (!(await record.isDirty()) || (await record.save({ reload: false }))) {
            await record.load();
            if (this.data.is_signed_in && !this.data.sign_in_failure) {
                this.env.bus.trigger(SIGNED_IN, { resId: record.resId });
            }
        }
    }
}

registry.category("view_widgets").add("external_account_sign_in", {
    component: ExternalAccountSignIn,
});

/**
 * Opens a connect window again, for who comes back from the mail service in a tab without it.
 * The address of it is in controllers/sign_in.py.
 */
export async function goOn(env, action) {
    const ids = [Number(action.params?.window_id) || 0];
    const model = "mail.external.account.connect";
    const actions = await env.services.orm.call(model, "action_go_on", [ids]);
    for (const next of actions) {
        await env.services.action.doAction(next, { clearBreadcrumbs: next.target !== "new" });
    }
}

registry.category("actions").add("external_account_go_on", goOn);
