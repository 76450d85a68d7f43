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
         * once it left), and which user wrote it: its author may be a template's. Undefined:
         * Odoo's own mail server.
         *
         * @type {{ label: string, waiting: string, writer_id: number } | undefined}
         */
        this.external_sender = fields.Attr(undefined);
        /** @type {"auto_reply" | "colleague" | "own_copy" | "stranger" | "unproven" | undefined} */
        this.external_mark = fields.Attr(undefined);
    },

    /** What is special about a message that came out of a mailbox; empty: nothing. */
    get externalMarkText() {
        const texts = {
            auto_reply: _t("Automatic reply"),
            own_copy: _t("Sent from a mail program"),
            stranger: _t("Not an addressee: only the team was told"),
            unproven: _t("Not proven who wrote this"),
            colleague: _t("Not proven that a colleague wrote this: only the team was told"),
        };
        return texts[this.external_mark] ?? "";
    },

    /** Marks that the reader should think about before they answer. */
    get isExternalMarkWarning() {
        return ["colleague", "stranger", "unproven"].includes(this.external_mark);
    },

    get externalSenderText() {
        return _t("through %(address)s", { address: this.external_sender.label });
    },

    /** Whether the reader may try the failed recipients of an external address again. */
    get canSendAgain() {
        return Boolean(
            this.external_sender &&
            (this.isSelfAuthored ||
                this.external_sender.writer_id === this.store.self.main_user_id?.id) &&
            // what came back left long ago: there is no mail to try again
            this.notification_ids.some(
                (notification) =>
                    notification.isFailure && notification.notification_status !== "bounce",
            ),
        );
    },

    /**
     * Called by the popover's template, which other addons' popovers inherit without a patch.
     *
     * @param {() => void} [close] closes the popover: it would go on to show the old results
     */
    sendAgain(close) {
        close?.();
        return this.store.env.services.orm.call("mail.message", "action_external_send_again", [
            [this.id],
        ]);
    },
};
patch(Message.prototype, messagePatch);
