import { MessageNotificationPopover } from "@mail/core/common/message_notification_popover";

import { patch } from "@web/core/utils/patch";
import { useService } from "@web/core/utils/hooks";

/** @type {MessageNotificationPopover} */
const popoverPatch = {
    setup() {
        super.setup(...arguments);
        this.orm = useService("orm");
    },

    /** Whether the reader may try the failed recipients of an external address again. */
    get canSendAgain() {
        // Core passes the raw record: its getters need the reactive one.
        const message = this.props.message._proxy;
        return Boolean(
            message.external_sender &&
            message.isSelfAuthored &&
            message.notification_ids.some((notification) => notification.isFailure),
        );
    },

    async onClickSendAgain() {
        const { id } = this.props.message;
        this.props.close?.();
        await this.orm.call("mail.message", "action_external_send_again", [[id]]);
    },
};
patch(MessageNotificationPopover.prototype, popoverPatch);
