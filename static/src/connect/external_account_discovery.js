import { Component, onWillDestroy, useState } from "@odoo/owl";

import { registry } from "@web/core/registry";
import { useService } from "@web/core/utils/hooks";
import { useRecordObserver } from "@web/model/relational_model/utils";
import { standardWidgetProps } from "@web/views/widgets/standard_widget_props";

import { callPatiently } from "./patient_call";

/** What is worth asking the server about; it says what an address is. */
const ADDRESS = /^[^@\s]+@[^@\s]+\.[^@\s.]+$/;

/**
 * Finds out the settings of a mail service that no preset knows, as soon as the address was
 * entered: one source a request, in the background. What was found fills the servers by an onchange
 * of the window, unless the user has typed some meanwhile, or has to confirm it: then by a click.
 *
 * @typedef {Object} Line
 * @property {string} source
 * @property {string} label
 * @property {string} text what came of it, "" as long as nothing did
 * @property {boolean} running
 */
export class ExternalAccountDiscovery extends Component {
    static template = "mail_external_account.ExternalAccountDiscovery";
    static props = { ...standardWidgetProps };

    setup() {
        super.setup();
        this.orm = useService("orm");
        this.state = useState({
            /** @type {Line[]} */
            lines: [],
            /** The search under way, if any; a cancelled one finds that it is not this any more. */
            run: null,
            /** What was found, but not taken yet. */
            offer: null,
            /** Why nothing could be asked, if so. */
            problem: "",
        });
        this.email = undefined;
        useRecordObserver((record) => this.onRecord(record.data));
        onWillDestroy(() => this.stop());
    }

    get isRunning() {
        return this.state.run !== null;
    }

    /** Whether nothing says yet where mail goes out. */
    get isUnknown() {
        return this.isOpen(this.props.record.data);
    }

    /** What was found and is still in the window. */
    get found() {
        const { found_settings: found, provider_id, smtp_host } = this.props.record.data;
        if (!found || !smtp_host) {
            return null;
        }
        const isSame = found.provider_id
            ? found.provider_id === provider_id?.id
            : found.smtp?.host === smtp_host && !provider_id;
        return isSame ? found : null;
    }

    isOpen({ email, is_address_only, provider_id, smtp_host }) {
        return Boolean(email) && !is_address_only && !provider_id && !smtp_host;
    }

    onRecord(data) {
        const isOpen = this.isOpen(data);
        if ((data.email || "") === this.email) {
            return;
        }
        this.email = data.email || "";
        this.reset();
        if (isOpen && ADDRESS.test(this.email.trim())) {
            this.search();
        }
    }

    onClickSearch() {
        this.search();
    }

    /** No further source is asked; the answer of the one under way is not waited for. */
    onClickCancel() {
        this.stop();
    }

    async onClickUse() {
        const { offer } = this.state;
        this.state.offer = null;
        await this.take({ ...offer, replace: true });
    }

    reset() {
        this.stop();
        Object.assign(this.state, { lines: [], offer: null, problem: "" });
    }

    stop() {
        this.state.run = null;
        for (const line of this.state.lines) {
            line.running = false;
        }
    }

    async search() {
        this.reset();
        const run = Symbol("search");
        this.state.run = run;
        try {
            await this.askAll(run, this.email);
        } catch (error) {
            // Nobody asked for a window that says so: it is told where the result would be.
            if (!error.exceptionName?.startsWith("odoo.exceptions.")) {
                throw error;
            }
            if (this.state.run === run) {
                this.state.problem = error.data?.message || "";
            }
        } finally {
            if (this.state.run === run) {
                this.stop();
            }
        }
    }

    async askAll(run, email) {
        const sources = await this.call([email]);
        if (this.state.run !== run) {
            return;
        }
        for (const { source, label, skipped } of sources) {
            this.state.lines.push({ source, label, text: skipped, running: !skipped });
            if (skipped) {
                continue;
            }
            const answer = await this.ask(run, email, source);
            if (this.state.run !== run) {
                return;
            }
            const line = this.state.lines.at(-1);
            Object.assign(line, { text: answer.text, running: false });
            if (answer.found) {
                await this.offer(answer.found);
                return;
            }
        }
    }

    /** @returns {Promise<object | null>} null when the search was cancelled meanwhile */
    ask(run, email, source) {
        const { ca_certificate } = this.props.record.data;
        const ask = () => this.call([email, source, ca_certificate || ""]);
        return callPatiently(ask, () => this.state.run === run);
    }

    /** Silent: the lines show the progress. */
    call(args) {
        return this.orm.silent.call(this.props.record.resModel, "find_settings", args);
    }

    async offer(found) {
        if (found.confirm || !this.isUnknown) {
            this.state.offer = found;
        } else {
            await this.take(found);
        }
    }

    take(found) {
        return this.props.record.update({ found_settings: found });
    }
}

registry.category("view_widgets").add("external_account_discovery", {
    component: ExternalAccountDiscovery,
});
