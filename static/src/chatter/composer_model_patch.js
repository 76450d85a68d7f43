import { Composer } from "@mail/core/common/composer_model";
import { fields } from "@mail/core/common/record";

import { patch } from "@web/core/utils/patch";

/** Stands for Odoo's own mail server, where an address's id is expected. */
export const ODOO_SENDER = 0;

/** @type {import("models").Composer} */
const composerPatch = {
    setup() {
        super.setup(...arguments);
        /** @type {number | undefined} what the user picked; undefined: the default */
        this.externalAddressId = fields.Attr(undefined);
    },

    clear() {
        super.clear(...arguments);
        this.externalAddressId = undefined;
    },

    get externalSenders() {
        return this.thread?.externalSenders ?? [];
    },

    /** Whether the picked address cannot be used here, or not any longer. */
    get isExternalAddressGone() {
        return (
            Boolean(this.externalAddressId) &&
            this.thread?.externalSenders !== undefined &&
            !this.externalSenders.some((sender) => sender.id === this.externalAddressId)
        );
    },

    /** @returns {number} the id of the address to send through, or ODOO_SENDER */
    get externalSenderId() {
        if (this.externalAddressId === undefined || this.isExternalAddressGone) {
            return this.externalSenders[0]?.id ?? ODOO_SENDER;
        }
        return this.externalAddressId;
    },
};
patch(Composer.prototype, composerPatch);
