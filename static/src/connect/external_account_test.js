import { Component, onMounted, useState } from "@odoo/owl";

import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { useBus, useService } from "@web/core/utils/hooks";
import { standardWidgetProps } from "@web/views/widgets/standard_widget_props";

import { SIGNED_IN } from "./external_account_sign_in";
import { callPatiently } from "./patient_call";

/** What a test is valid for; as `_compute_tested_ok` of mail.external.account.connect. */
const SETTINGS = [
    "email",
    "is_company",
    "user_id",
    "company_id",
    "auth_method",
    "is_signed_in",
    "password",
    "incoming_password",
    "smtp_host",
    "smtp_port",
    "smtp_security",
    "smtp_login",
    "receive_replies",
    "incoming_protocol",
    "incoming_host",
    "incoming_port",
    "incoming_security",
    "incoming_login",
    "ca_certificate",
];

/** Checks that wait for a mail, a minute at most. */
const WAITING_STEPS = ["arrival", "round_trip"];

const ICONS = {
    waiting: "fa-circle-thin text-muted",
    running: "fa-circle-o-notch fa-spin",
    passed: "fa-check text-success",
    warned: "fa-exclamation-triangle text-warning",
    failed: "fa-times text-danger",
    skipped: "fa-minus text-muted",
};

/**
 * "Test account" of the connect window: saves what is typed, then runs the checks one request
 * each, and shows each line as it is done. The server keeps the results; what counts is there.
 *
 * @typedef {"waiting" | "running" | "passed" | "warned" | "failed" | "skipped"} LineState
 * @typedef {Object} Line
 * @property {string} step
 * @property {string} label
 * @property {LineState} state
 * @property {number} [milliseconds]
 * @property {string} [cause]
 * @property {string} [remedy]
 * @property {string} [reply] what the server said
 * @property {string[]} [steps] what to do at the mail service, in order
 * @property {string} [help_url]
 * @property {Object[]} [notes] advice, see tools/connect/advice.py
 */
export class ExternalAccountTest extends Component {
    static template = "mail_external_account.ExternalAccountTest";
    static props = { ...standardWidgetProps };

    setup() {
        super.setup();
        this.orm = useService("orm");
        this.state = useState({
            /** @type {Line[]} */
            lines: [],
            /** The run under way, if any; a cancelled one finds that it is not this any more. */
            run: null,
            testedSettings: "",
        });
        this.icons = ICONS;
        this.stateTexts = {
            waiting: _t("Waiting"),
            running: _t("Running"),
            passed: _t("Passed"),
            warned: _t("Passed, with a warning"),
            failed: _t("Failed"),
            skipped: _t("Not tried"),
        };
        this.noteTexts = { warning: _t("Warning"), hint: _t("Hint") };
        // Whoever signed in with the mail service wants to know whether it works.
        useBus(this.env.bus, SIGNED_IN, ({ detail }) => {
            if (detail.resId === this.props.record.resId && !this.isRunning) {
                this.onClickTest();
            }
        });
        onMounted(() => {
            const { context, data } = this.props.record;
            if (context.starts_test && data.is_signed_in && !this.isTestedOk) {
                this.onClickTest();
            }
        });
    }

    get isRunning() {
        return this.state.run !== null;
    }

    get isTestedOk() {
        return this.props.record.data.tested_ok;
    }

    /** Whether testing is what comes next, not signing in or saving. */
    get isNext() {
        const { data } = this.props.record;
        const signsIn = data.auth_method === "oauth2" || !(data.password || data.has_password);
        const waits = data.sign_in_service ? signsIn : data.takes_password === false;
        return !this.isTestedOk && (data.is_signed_in || !waits);
    }

    /** Whether the lines tell about other settings than those in the window now. */
    get isOutdated() {
        const { lines, testedSettings } = this.state;
        if (this.isRunning || !lines.length) {
            return false;
        }
        const allPassed = lines.every(({ state }) => ["passed", "warned"].includes(state));
        return testedSettings !== this.currentSettings || (allPassed && !this.isTestedOk);
    }

    get currentSettings() {
        const { data } = this.props.record;
        // An empty text is false before and "" after it was edited.
        return JSON.stringify(SETTINGS.map((name) => data[name]?.id ?? (data[name] || false)));
    }

    async onClickTest() {
        const run = Symbol("run");
        this.state.run = run;
        try {
            const isSaved = await this.props.record.save({ reload: false });
            if (isSaved && this.state.run === run) {
                await this.runChecks(run);
            }
        } finally {
            if (this.state.run === run) {
                this.stop();
            }
        }
    }

    /**
     * No further check is started; the result of the one under way is not waited for. One that
     * looks for a mail ends then, too: others are over in some seconds.
     */
    async onClickCancel() {
        const running = this.state.lines.find(({ state }) => state === "running");
        this.stop();
        if (WAITING_STEPS.includes(running?.step)) {
            await this.call("cancel_check", [[this.props.record.resId]]);
        }
    }

    stop() {
        this.state.run = null;
        for (const line of this.state.lines) {
            if (["waiting", "running"].includes(line.state)) {
                line.state = "skipped";
            }
        }
    }

    async runChecks(run) {
        const { resId } = this.props.record;
        this.state.lines = [];
        this.state.testedSettings = this.currentSettings;
        const steps = await this.call("get_steps", [[resId]]);
        if (this.state.run !== run) {
            return;
        }
        this.state.lines = steps.map(([step, label]) => ({ step, label, state: "waiting" }));
        for (const line of this.state.lines) {
            line.state = "running";
            const answer = await this.check(resId, line.step, run);
            if (this.state.run !== run) {
                return;
            }
            const { ok, warns, ...result } = answer;
            const passed = warns ? "warned" : "passed";
            Object.assign(line, result, { state: ok ? passed : "failed" });
            if (!ok) {
                break;
            }
        }
        await this.reload();
    }

    /** @returns {Promise<object | null>} null when the run was cancelled meanwhile */
    check(resId, step, run) {
        return callPatiently(
            () => this.call("run_check", [[resId], step]),
            () => this.state.run === run,
        );
    }

    /** Silent: the lines show the progress, Odoo's loading sign would only flicker. */
    call(method, args) {
        return this.orm.silent.call(this.props.record.resModel, method, args);
    }

    /** The server now knows whether these settings may be saved. */
    async reload() {
        const { record } = this.props;
        // What was typed while the test ran must not be lost; it makes the test void anyway.
        if (!(await record.isDirty())) {
            await record.load();
            this.state.testedSettings = this.currentSettings;
        }
    }
}

registry.category("view_widgets").add("external_account_test", {
    component: ExternalAccountTest,
});
