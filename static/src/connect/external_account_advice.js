import { Component, useState } from "@odoo/owl";

import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { useService } from "@web/core/utils/hooks";
import { standardWidgetProps } from "@web/views/widgets/standard_widget_props";

import { callPatiently } from "./patient_call";

const ICONS = {
    good: "fa-check text-success",
    hint: "fa-info-circle text-info",
    warning: "fa-exclamation-triangle text-warning",
    failed: "fa-times text-danger",
};

/**
 * What the connect window offers once the test has passed: a mail to oneself, and how receivers
 * judge the address. Advice only: it is asked for by a button, and saving waits for nothing here.
 *
 * @typedef {Object} Line
 * @property {string} step
 * @property {"good" | "hint" | "warning" | "failed"} mark
 * @property {string} label
 * @property {string} [text]
 * @property {string} [remedy]
 * @property {string} [reply] what the server said
 * @property {string} [name] of a DNS record
 * @property {string} [record] what to publish there
 * @property {Object[]} [notes] see tools/connect/advice.py
 */
export class ExternalAccountAdvice extends Component {
    static template = "mail_external_account.ExternalAccountAdvice";
    static props = { ...standardWidgetProps };

    setup() {
        super.setup();
        this.orm = useService("orm");
        this.state = useState({
            /** @type {Line[]} */
            mail: [],
            /** @type {Line[]} */
            dns: [],
            /** What is under way, if anything; a cancelled one finds that it is not this. */
            run: null,
            runs: "",
        });
        this.icons = ICONS;
        this.markTexts = {
            good: _t("Good"),
            hint: _t("Hint"),
            warning: _t("Warning"),
            failed: _t("Failed"),
        };
    }

    get lines() {
        return [...this.state.mail, ...this.state.dns];
    }

    onClickMail() {
        return this.once("mail", async (run) => {
            this.state.mail = [];
            const answer = await this.call(run, "run_check", ["round_trip"]);
            if (answer) {
                this.state.mail = [this.mailLine(answer)];
            }
        });
    }

    onClickPreflight() {
        return this.once("dns", async (run) => {
            this.state.dns = [];
            const answers = (await this.call(run, "run_preflight")) || [];
            this.state.dns = answers.map((answer) => this.dnsLine(answer));
        });
    }

    /** The server is told: nobody waits, and somebody else may test. */
    async onClickCancel() {
        this.state.run = null;
        const { resId, resModel } = this.props.record;
        await this.orm.silent.call(resModel, "cancel_check", [[resId]]);
    }

    mailLine({ ok, warns, label, cause, remedy, reply, notes }) {
        const mark = !ok ? "failed" : warns ? "warning" : "good";
        return { step: "round_trip", mark, label, text: cause, remedy, reply, notes };
    }

    dnsLine({ verdict, warns, ...line }) {
        const mark = warns ? "warning" : verdict === "pass" ? "good" : "hint";
        return { ...line, mark };
    }

    async once(name, work) {
        if (this.state.run) {
            return;
        }
        const run = Symbol(name);
        Object.assign(this.state, { run, runs: name });
        try {
            await work(run);
        } finally {
            if (this.state.run === run) {
                this.state.run = null;
            }
        }
    }

    /** @returns {Promise<any>} null when it was cancelled meanwhile */
    async call(run, method, args = []) {
        const { resId, resModel } = this.props.record;
        const isWanted = () => this.state.run === run;
        const ask = () => this.orm.silent.call(resModel, method, [[resId], ...args]);
        const answer = await callPatiently(ask, isWanted);
        return isWanted() ? answer : null;
    }
}

registry.category("view_widgets").add("external_account_advice", {
    component: ExternalAccountAdvice,
    fieldDependencies: [{ name: "offers_round_trip", type: "boolean" }],
});
