import { ScheduledMessage } from "@mail/chatter/web/scheduled_message_model";

import { patch } from "@web/core/utils/patch";

/** @type {ScheduledMessage} */
const scheduledMessagePatch = {
    /** @type {boolean | undefined} whether an external address was picked for it */
    has_external_sender: undefined,

    async send() {
        const { notification, orm } = this.store.env.services;
        // Core takes every error for "already sent" and says nothing.
        const problem =
            this.has_external_sender &&
            (await orm.call("mail.scheduled.message", "external_sender_problem", [this.id]));
        if (problem) {
            notification.add(problem, { type: "warning", sticky: true });
        } else {
            await super.send();
        }
    },
};
patch(ScheduledMessage.prototype, scheduledMessagePatch);
