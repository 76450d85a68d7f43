import {
    click,
    contains,
    defineMailModels,
    insertText,
    mailModels,
    onRpcBefore,
    openFormView,
    start,
    startServer,
} from "@mail/../tests/mail_test_helpers";
import { beforeEach, describe, expect, test } from "@odoo/hoot";
import { queryAllTexts, queryOne, select } from "@odoo/hoot-dom";
import { animationFrame } from "@odoo/hoot-mock";
import {
    asyncStep,
    getKwArgs,
    mockService,
    patchWithCleanup,
    waitForSteps,
} from "@web/../tests/web_test_helpers";

import { browser } from "@web/core/browser/browser";

describe.current.tags("desktop");
defineMailModels();

const PERSONAL = {
    id: 11,
    label: "Anna <anna@brand-a.test>",
    email: "anna@brand-a.test",
    reason: "personal default for Launch",
};
const COMPANY = {
    id: 12,
    label: "Support <support@brand-b.test>",
    email: "support@brand-b.test",
    reason: "address of the company",
};
const PICKER = ".o-mail-ExternalSenderPicker";

/** What the server tells about the chatter's record; undefined: it has not answered yet. */
let senders;

beforeEach(() => {
    senders = [PERSONAL, COMPANY];
    patchWithCleanup(mailModels.MailThread.prototype, {
        _thread_to_store(store, fields, request_list) {
            super._thread_to_store(...arguments);
            const kwargs = getKwArgs(arguments, "store", "fields", "request_list");
            if (senders && kwargs.request_list?.includes("suggestedRecipients")) {
                kwargs.store._add_record_fields(
                    this.env[this._name].browse(this[0].id),
                    { externalSenders: senders, externalSenderOdoo: "notifications@corp.test" },
                    true,
                );
            }
        },
    });
    onRpcBefore("/mail/message/post", ({ post_data }) => {
        asyncStep(`${post_data.subtype_xmlid} ${post_data.external_address_id}`);
    });
});

/** Opens a contact with a chatter; `draft`: what an earlier visit left in the browser. */
async function openContact(draft) {
    const pyEnv = await startServer();
    const partnerId = pyEnv["res.partner"].create({ name: "Clara", email: "clara@client.test" });
    const draftKey = `Composer,(Thread,res.partner AND ${partnerId}) OR (undefined)`;
    if (draft) {
        browser.localStorage.setItem(draftKey, JSON.stringify(draft));
    }
    await start();
    await openFormView("res.partner", partnerId);
    await click("button", { text: "Send message" });
    await contains(".o-mail-Composer-input");
    return draftKey;
}

async function pick(senderId) {
    await click(`${PICKER} select`);
    await select(String(senderId), { target: `${PICKER} select` });
    await animationFrame();
}

async function send(text) {
    await insertText(".o-mail-Composer-input", text);
    await click(".o-mail-Composer button:enabled", { text: "Send" });
    await contains(`.o-mail-Message:contains(${text})`);
}

test("the best address is shown with its reason and sent along", async () => {
    await openContact();
    await contains(`${PICKER} select`);
    expect(queryAllTexts(`${PICKER} option`)).toEqual([
        PERSONAL.label,
        COMPANY.label,
        "Odoo (notifications@corp.test)",
    ]);
    expect(`${PICKER} select`).toHaveValue("11");
    expect(`${PICKER}-reason`).toHaveText(PERSONAL.reason);
    await send("by default");
    await waitForSteps(["mail.mt_comment 11"]);
});

test("a picked address is sent along, without a reason; then the default is back", async () => {
    await openContact();
    await pick(COMPANY.id);
    await contains(`${PICKER}-reason`, { count: 0 });
    await send("from the company");
    await waitForSteps(["mail.mt_comment 12"]);
    await click("button", { text: "Send message" });
    await contains(`${PICKER} select`);
    expect(`${PICKER} select`).toHaveValue("11");
});

test("Odoo's own server can be picked", async () => {
    await openContact();
    await pick(0);
    await send("from Odoo");
    await waitForSteps(["mail.mt_comment 0"]);
});

test("a note has no picker and no sender, not even after a pick for a message", async () => {
    await openContact();
    await pick(COMPANY.id);
    await click("button", { text: "Log note" });
    await contains(".o-mail-Composer button", { text: "Log" });
    await contains(PICKER, { count: 0 });
    await insertText(".o-mail-Composer-input", "for colleagues");
    await click(".o-mail-Composer button:enabled", { text: "Log" });
    await contains(".o-mail-Message", { text: "for colleagues" });
    await waitForSteps(["mail.mt_note undefined"]);
});

test("without usable addresses nothing is shown or sent", async () => {
    senders = [];
    await openContact();
    await contains(".o-mail-RecipientsInput");
    await contains(PICKER, { count: 0 });
    await send("as ever");
    await waitForSteps(["mail.mt_comment undefined"]);
});

test("the pick stays while the draft stays, in the browser's store too", async () => {
    const draftKey = await openContact();
    await pick(COMPANY.id);
    await insertText(".o-mail-Composer-input", "half a sentence");
    await click("button", { text: "Send message" });
    await contains(".o-mail-Composer", { count: 0 });
    expect(JSON.parse(browser.localStorage.getItem(draftKey)).externalAddressId).toBe(12);
    await click("button", { text: "Send message" });
    await contains(`${PICKER} select`);
    expect(`${PICKER} select`).toHaveValue("12");
});

test("a draft of an earlier visit comes back with its sender", async () => {
    await openContact({
        composerHtml: ["markup", "half a sentence"],
        emailAddSignature: true,
        externalAddressId: 0,
    });
    await contains(".o-mail-Composer-input", { value: "half a sentence" });
    expect(queryOne(`${PICKER} select`).selectedOptions[0]).toHaveText(
        "Odoo (notifications@corp.test)",
    );
});

test("an address that may no longer be used is dropped from the draft with a warning", async () => {
    await openContact({
        composerHtml: ["markup", "half a sentence"],
        emailAddSignature: true,
        externalAddressId: 99,
    });
    await contains(".o_notification:contains(will be sent from Anna)");
    expect(`${PICKER} select`).toHaveValue("11");
    await send("more");
    await waitForSteps(["mail.mt_comment 11"]);
});

test("a draft that is sent before the chatter's data are there keeps its sender", async () => {
    senders = undefined;
    await openContact({
        composerHtml: ["markup", "half a sentence"],
        emailAddSignature: true,
        externalAddressId: COMPANY.id,
    });
    await contains(PICKER, { count: 0 });
    await contains(".o-mail-Composer-input", { value: "half a sentence" });
    await click(".o-mail-Composer button:enabled", { text: "Send" });
    await contains(".o-mail-Message:contains(half a sentence)");
    await waitForSteps(["mail.mt_comment 12"]);
});

test("the full composer learns what is shown, and whether it was picked", async () => {
    mockService("action", {
        doAction(action) {
            if (action?.res_model !== "mail.compose.message") {
                return super.doAction(...arguments);
            }
            const { context } = action;
            asyncStep(
                `${context.external_sender_id} ${context.default_external_sender_picked}` +
                    ` ${context.external_sender_signature}`,
            );
            return undefined;
        },
    });
    await openContact();
    await contains(`${PICKER} select`);
    await click("button[title='Open Full Composer']");
    await waitForSteps(["11 false true"]);
    await pick(COMPANY.id);
    await pick(PERSONAL.id);
    await click("button[title='Open Full Composer']");
    await waitForSteps(["11 true true"]);
    await click("button", { text: "Log note" });
    await click("button[title='Open Full Composer']");
    await waitForSteps(["undefined undefined undefined"]);
});
