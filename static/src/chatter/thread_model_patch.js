import { fields } from "@mail/core/common/record";
import { Thread } from "@mail/core/common/thread_model";

import { patch } from "@web/core/utils/patch";

/** @type {import("models").Thread} */
const threadPatch = {
    setup() {
        super.setup(...arguments);
        /**
         * The addresses that the current user may send from here, best first. Undefined until
         * the chatter's data has arrived.
         *
         * @type {{ id: number, label: string, email: string, reason: string }[] | undefined}
         */
        this.externalSenders = fields.Attr(undefined);
        /** @type {string | undefined} the address of Odoo's own mail server */
        this.externalSenderOdoo = fields.Attr(undefined);
    },
};
patch(Thread.prototype, threadPatch);
