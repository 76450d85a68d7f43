import { Composer } from "@mail/core/common/composer_model";
import { fields } from "@mail/core/common/record";

import { patch } from "@web/core/utils/patch";

/** Stands for Odoo's own mail server, where an account's id is expected. */
export const ODOO_SENDER = 0;

/** @type {import("models").Composer} */
const composerPatch = {
    setup() {
        super.setup(...arguments);
        /** @type {number | undefined} what the user picked; undefined: the default */
        this.externalAccountId = fields.Attr(undefined);
    },

    clear() {
        super.clear(...arguments);
        this.externalAccountId = undefined;
    },

    get externalSenders() {
        return this.thread?.externalSenders ?? [];
    },

    /** Whether the picked account cannot be used here, or not any longer. */
    get isExternalAccountGone() {
        return (
            Boolean(this.externalAccountId) &&
            this.thread?.externalSenders !== undefined &&
            !this.externalSenders.some((sender) => sender.id === this.externalAccountId)
        );
    },

    /** @returns {number} the id of the account to send through, or ODOO_SENDER */
    get externalSenderId() {
        if (this.externalAccountId === undefined || this.isExternalAccountGone) {
            return this.externalSenders[0]?.id ?? ODOO_SENDER;
        }
        return this.externalAccountId;
    },
};
patch(Composer.prototype, composerPatch);
