import { Message } from "@mail/core/common/message_model";
import { fields } from "@mail/core/common/record";

import { _t } from "@web/core/l10n/translation";
import { patch } from "@web/core/utils/patch";

/** @type {import("models").Message} */
const messagePatch = {
    setup() {
        super.setup(...arguments);
        /**
         * The external address that the message leaves through, and why it still waits (empty
         * once it left). Undefined: Odoo's own mail server.
         *
         * @type {{ label: string, waiting: string } | undefined}
         */
        this.external_sender = fields.Attr(undefined);
    },

    get externalSenderText() {
        return _t("through %(address)s", { address: this.external_sender.label });
    },
};
patch(Message.prototype, messagePatch);
