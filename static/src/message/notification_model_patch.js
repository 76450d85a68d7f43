import { Notification } from "@mail/core/common/notification_model";
import { fields } from "@mail/core/common/record";

import { patch } from "@web/core/utils/patch";

/** @type {import("models").Notification} */
const notificationPatch = {
    setup() {
        super.setup(...arguments);
        /** @type {string | undefined} cause, remedy and the server's words; several lines */
        this.failure_reason = fields.Attr(undefined);
    },

    /** Why this recipient has no mail (yet); nothing once they were served. */
    get reasonToShow() {
        const isOpen = this.isFailure || this.notification_status === "ready";
        return (isOpen && this.failure_reason) || "";
    },
};
patch(Notification.prototype, notificationPatch);
