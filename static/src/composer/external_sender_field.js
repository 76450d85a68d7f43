import { Component } from "@odoo/owl";

import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { useBus } from "@web/core/utils/hooks";
import { standardFieldProps } from "@web/views/fields/standard_field_props";

/**
 * "From:" in the full composer and of a scheduled message. The choices are in another field of
 * the record, `external_sender_options`: they differ from record to record.
 */
export class ExternalSenderField extends Component {
    static template = "mail_external_account.ExternalSenderField";
    static props = { ...standardFieldProps };

    setup() {
        super.setup();
        if (this.env.fullComposerBus) {
            // The chatter keeps the draft when the window is closed by accident.
            useBus(this.env.fullComposerBus, "SAVE_EXTERNAL_SENDER", ({ detail }) =>
                detail.onSave(this.value),
            );
        }
    }

    /** @returns {{ id: number, label: string, reason: string }[]} */
    get options() {
        const options = this.props.record.data.external_sender_options || [];
        const isOffered = options.some(({ id }) => id === this.storedValue);
        if (!options.length || isOffered || this.storedValue < 0) {
            return options;
        }
        const label = _t("An address that can no longer be used here");
        return [{ id: this.storedValue, label, reason: "" }, ...options];
    }

    get storedValue() {
        return this.props.record.data[this.props.name];
    }

    /** What is chosen; where each record's default is meant, the only record's: the best. */
    get value() {
        const { options, storedValue } = this;
        return options.some(({ id }) => id === storedValue) ? storedValue : options[0]?.id;
    }

    /** Why the default was chosen. */
    get reason() {
        const [best] = this.props.record.data.external_sender_options || [];
        return best && best.id === this.value ? best.reason : "";
    }

    /** @param {Event & { target: HTMLSelectElement }} ev */
    onChange(ev) {
        return this.props.record.update({ [this.props.name]: Number(ev.target.value) });
    }
}

export const externalSenderField = {
    component: ExternalSenderField,
    displayName: _t("External Sender"),
    supportedTypes: ["integer"],
    fieldDependencies: [{ name: "external_sender_options", type: "json", readonly: true }],
};

registry.category("fields").add("external_sender", externalSenderField);
