import { defineMailModels } from "@mail/../tests/mail_test_helpers";
import { describe, expect, test } from "@odoo/hoot";
import { queryAllTexts, select } from "@odoo/hoot-dom";
import { animationFrame } from "@odoo/hoot-mock";
import { EventBus } from "@odoo/owl";
import {
    contains,
    defineModels,
    fields,
    makeMockEnv,
    models,
    mountView,
    onRpc,
} from "@web/../tests/web_test_helpers";

describe.current.tags("desktop");

const ANNA = { id: 11, label: "Anna <anna@brand-a.test>", reason: "personal default address" };
const SUPPORT = { id: 12, label: "Support <support@brand-b.test>", reason: "company address" };
const ODOO = { id: 0, label: "Odoo (notifications@corp.test)", reason: "" };
const FIELD = ".o_field_widget[name=external_sender]";

class Draft extends models.Model {
    external_sender = fields.Integer();
    external_sender_options = fields.Json();

    _records = [
        { id: 1, external_sender: 11, external_sender_options: [ANNA, SUPPORT, ODOO] },
        { id: 2, external_sender: 99, external_sender_options: [ANNA, SUPPORT, ODOO] },
        { id: 3, external_sender: -1, external_sender_options: [ANNA, SUPPORT, ODOO] },
        { id: 4, external_sender: -1, external_sender_options: [] },
    ];
}

defineMailModels();
defineModels([Draft]);

function openDraft(resId) {
    return mountView({
        type: "form",
        resModel: "draft",
        resId,
        arch: `<form><field name="external_sender_options" invisible="1"/>
            <field name="external_sender" widget="external_sender"/></form>`,
    });
}

test("the best address comes with its reason, another one without", async () => {
    onRpc("draft", "web_save", ({ args }) => {
        expect.step(args[1]);
    });
    await openDraft(1);
    expect(queryAllTexts(`${FIELD} option`)).toEqual([ANNA.label, SUPPORT.label, ODOO.label]);
    expect(`${FIELD} select`).toHaveValue("11");
    expect(`${FIELD} small`).toHaveText(ANNA.reason);
    await contains(`${FIELD} select`).click();
    await select("12", { target: `${FIELD} select` });
    await animationFrame();
    expect(`${FIELD} small`).toHaveCount(0);
    await contains(".o_form_button_save").click();
    expect.verifySteps([{ external_sender: 12 }]);
});

test("Odoo's own server can be chosen", async () => {
    onRpc("draft", "web_save", ({ args }) => {
        expect.step(args[1]);
    });
    await openDraft(1);
    await contains(`${FIELD} select`).click();
    await select("0", { target: `${FIELD} select` });
    await contains(".o_form_button_save").click();
    expect.verifySteps([{ external_sender: 0 }]);
});

test("an address that may no longer be used is shown as such", async () => {
    await openDraft(2);
    expect(`${FIELD} select`).toHaveValue("99");
    expect(queryAllTexts(`${FIELD} option`)[0]).toBe("An address that can no longer be used here");
});

test("the default is shown as the address it means", async () => {
    await openDraft(3);
    expect(`${FIELD} select`).toHaveValue("11");
    expect(`${FIELD} small`).toHaveText(ANNA.reason);
});

test("without choices nothing can be picked", async () => {
    await openDraft(4);
    expect(`${FIELD} option`).toHaveCount(0);
});

test("the chatter asks for the choice when it keeps the draft", async () => {
    const fullComposerBus = new EventBus();
    await makeMockEnv({ fullComposerBus });
    await openDraft(1);
    await contains(`${FIELD} select`).click();
    await select("12", { target: `${FIELD} select` });
    await animationFrame();
    fullComposerBus.trigger("SAVE_EXTERNAL_SENDER", { onSave: (id) => expect.step(id) });
    expect.verifySteps([12]);
});
