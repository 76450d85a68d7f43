import {
    click,
    contains,
    defineMailModels,
    openFormView,
    start,
    startServer,
} from "@mail/../tests/mail_test_helpers";
import { describe, expect, test } from "@odoo/hoot";
import { animationFrame } from "@odoo/hoot-mock";
import {
    asyncStep,
    getService,
    onRpc,
    serverState,
    waitForSteps,
} from "@web/../tests/web_test_helpers";

describe.current.tags("desktop");
defineMailModels();

/** Opens a contact whose chatter has one message, with one recipient. */
async function openMessage(notification) {
    const pyEnv = await startServer();
    const customerId = pyEnv["res.partner"].create({ name: "Clara", partner_share: true });
    const messageId = pyEnv["mail.message"].create({
        author_id: serverState.partnerId,
        body: "Your offer",
        message_type: "comment",
        model: "res.partner",
        res_id: customerId,
    });
    const notificationId = pyEnv["mail.notification"].create({
        mail_message_id: messageId,
        notification_type: "email",
        res_partner_id: customerId,
        ...notification,
    });
    await start();
    await openFormView("res.partner", customerId);
    await contains(".o-mail-Message", { text: "Your offer" });
    return { messageId, notificationId };
}

/** As the bus does when the server has news. */
async function receive(data) {
    getService("mail.store").insert(data);
    await animationFrame();
}

test("a message shows through which address it left, and why it still waits", async () => {
    const { messageId } = await openMessage({ notification_status: "ready" });
    await contains(".o-mail-Message-externalSender", { count: 0 });
    await receive({
        "mail.message": [
            {
                id: messageId,
                external_sender: { label: "anna@brand-a.test", waiting: "waiting until 14:05" },
            },
        ],
    });
    expect(".o-mail-Message-externalSender").toHaveText("through anna@brand-a.test");
    expect(".o-mail-Message-externalWaiting").toHaveText("waiting until 14:05");
    await receive({
        "mail.message": [
            { id: messageId, external_sender: { label: "anna@brand-a.test", waiting: "" } },
        ],
    });
    await contains(".o-mail-Message-externalSender");
    await contains(".o-mail-Message-externalWaiting", { count: 0 });
});

test("the list of recipients says why one was refused, in the server's words", async () => {
    const { notificationId } = await openMessage({
        failure_type: "unknown",
        notification_status: "exception",
    });
    const failure_reason = "The recipient is unknown.\nCheck the address.\n550 no such user";
    await receive({ "mail.notification": [{ id: notificationId, failure_reason }] });
    await click(".o-mail-Message-notification");
    await contains(".o-mail-NotificationReason");
    expect(".o-mail-NotificationReason").toHaveText(failure_reason);
    // a failed mail of Odoo's own server is core's business
    await contains(".o-mail-NotificationSendAgain", { count: 0 });
});

test("the list of recipients says nothing of a failure that is over", async () => {
    const { notificationId } = await openMessage({ notification_status: "sent" });
    await receive({
        "mail.notification": [{ id: notificationId, failure_reason: "451 try again later" }],
    });
    await click(".o-mail-Message-notification");
    await contains(".o-mail-MessageNotificationPopover", { text: "Clara" });
    await contains(".o-mail-NotificationReason", { count: 0 });
});

test("the list of recipients says why one still waits", async () => {
    const { notificationId } = await openMessage({ notification_status: "ready" });
    await receive({
        "mail.notification": [{ id: notificationId, failure_reason: "451 try again later" }],
    });
    await click(".o-mail-Message-notification");
    await contains(".o-mail-NotificationReason", { text: "451 try again later" });
});

test("the author tries failed recipients of an external address again", async () => {
    onRpc("mail.message", "action_external_send_again", ({ args }) => {
        asyncStep(`again ${args[0]}`);
        return false;
    });
    const { messageId } = await openMessage({
        failure_type: "unknown",
        notification_status: "exception",
    });
    await receive({
        "mail.message": [
            { id: messageId, external_sender: { label: "anna@brand-a.test", waiting: "" } },
        ],
    });
    await click(".o-mail-Message-notification");
    await click(".o-mail-NotificationSendAgain");
    await contains(".o-mail-MessageNotificationPopover", { count: 0 });
    await waitForSteps([`again ${messageId}`]);
});

test("who wrote a message in the name of a template tries again, nobody else", async () => {
    const { messageId } = await openMessage({
        failure_type: "unknown",
        notification_status: "exception",
    });
    const company = { id: 9001, name: "Brand" };
    for (const [writer_id, count] of [
        [serverState.userId + 1, 0],
        [serverState.userId, 1],
    ]) {
        const external_sender = { label: "info@brand-a.test", waiting: "", writer_id };
        await receive({
            "res.partner": [company],
            "mail.message": [{ id: messageId, author_id: company.id, external_sender }],
        });
        await click(".o-mail-Message-notification");
        await contains(".o-mail-MessageNotificationPopover", { text: "Clara" });
        await contains(".o-mail-NotificationSendAgain", { count });
        await click(".o-mail-Message-notification");
    }
});

test("what came back cannot be sent again", async () => {
    const { messageId } = await openMessage({
        failure_type: "mail_bounce",
        notification_status: "bounce",
    });
    await receive({
        "mail.message": [
            { id: messageId, external_sender: { label: "anna@brand-a.test", waiting: "" } },
        ],
    });
    await click(".o-mail-Message-notification");
    await contains(".o-mail-MessageNotificationPopover", { text: "Clara" });
    await contains(".o-mail-NotificationSendAgain", { count: 0 });
});

test("a message from a mailbox says what is special about it", async () => {
    const { messageId } = await openMessage({ notification_status: "sent" });
    await contains(".o-mail-Message-externalMark", { count: 0 });
    for (const [external_mark, text] of [
        ["auto_reply", "Automatic reply"],
        ["stranger", "Not an addressee: only the team was told"],
        ["unproven", "Not proven who wrote this"],
        ["colleague", "Not proven that a colleague wrote this: only the team was told"],
        ["own_copy", "Sent from a mail program"],
    ]) {
        await receive({ "mail.message": [{ id: messageId, external_mark }] });
        expect(".o-mail-Message-externalMark").toHaveText(text);
    }
    await contains(".o-mail-Message-externalSender", { count: 0 });
});
