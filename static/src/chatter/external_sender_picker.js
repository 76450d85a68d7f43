import { ODOO_SENDER } from "@mail_external_account/chatter/composer_model_patch";

import { Component, useEffect } from "@odoo/owl";

import { _t } from "@web/core/l10n/translation";
import { useService } from "@web/core/utils/hooks";

/**
 * The row "From:" above the chatter's "To:". It shows nothing where there is no choice.
 *
 * @typedef {Object} Props
 * @property {import("models").Composer} composer
 * @extends {Component<Props, Env>}
 */
export class ExternalSenderPicker extends Component {
    static template = "mail_external_account.ExternalSenderPicker";
    static props = ["composer"];

    setup() {
        super.setup();
        this.notification = useService("notification");
        useEffect(
            (isGone) => {
                if (isGone) {
                    this.dropChoice();
                }
            },
            () => [this.composer.isExternalAddressGone],
        );
    }

    get composer() {
        return this.props.composer;
    }

    /** @returns {{ id: number, label: string }[]} */
    get options() {
        return [...this.composer.externalSenders, { id: ODOO_SENDER, label: this.odooLabel }];
    }

    get odooLabel() {
        const address = this.composer.thread.externalSenderOdoo;
        return address ? _t("Odoo (%(address)s)", { address }) : _t("Odoo");
    }

    /** Why the shown address was chosen; a choice of the user needs no reason. */
    get reason() {
        const [best] = this.composer.externalSenders;
        return this.composer.externalSenderId === best.id ? best.reason : "";
    }

    dropChoice() {
        this.composer.externalAddressId = undefined;
        const sender = this.options.find(({ id }) => id === this.composer.externalSenderId);
        this.notification.add(
            _t(
                "The address picked for this draft can no longer be used here. The message will be sent from %s.",
                sender.label,
            ),
            { type: "warning" },
        );
    }

    /** @param {Event & { target: HTMLSelectElement }} ev */
    onChange(ev) {
        this.composer.externalAddressId = Number(ev.target.value);
    }
}
