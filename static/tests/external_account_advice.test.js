import { describe, expect, test } from "@odoo/hoot";
import { click, queryAllAttributes, queryAllTexts, waitFor } from "@odoo/hoot-dom";
import { animationFrame, Deferred } from "@odoo/hoot-mock";
import {
    defineModels,
    fields,
    makeServerError,
    models,
    mountView,
    onRpc,
} from "@web/../tests/web_test_helpers";
import { mailModels } from "@mail/../tests/mail_test_helpers";

describe.current.tags("desktop");

class Connect extends models.Model {
    _name = "mail.external.account.connect";

    offers_round_trip = fields.Boolean();

    _records = [
        { id: 1, offers_round_trip: true },
        { id: 2, offers_round_trip: false },
    ];
}

defineModels({ ...mailModels, Connect });

const WIDGET = ".o_external_account_advice";
const LINE = `${WIDGET}_line`;
const MAIL = `${WIDGET} .o_external_account_send_mail`;
const NOTE = { name: "name", warns: true, text: "Another name.", remedy: "Change it." };

const mount = (resId) =>
    mountView({
        type: "form",
        resModel: "mail.external.account.connect",
        resId,
        arch: `<form><widget name="external_account_advice"/></form>`,
    });

test("a mail to oneself is offered where the mailbox is read", async () => {
    await mount(2);
    expect(MAIL).toHaveCount(0);
    expect(`${WIDGET} .o_external_account_preflight`).toHaveCount(1);
});

test("what came back is a warning where one of its notes is", async () => {
    onRpc("run_check", ({ args }) => {
        expect.step(args[1]);
        return { ok: true, warns: true, label: "It came back", notes: [NOTE] };
    });
    await mount(1);
    await click(MAIL);
    await waitFor(LINE);
    expect.verifySteps(["round_trip"]);
    expect(queryAllAttributes(LINE, "data-mark")).toEqual(["warning"]);
    expect(queryAllTexts(LINE)[0]).toMatch(
        /It came back\s+Another name\.\s+What to do: Change it\./,
    );
});

test("a mail that was not seen is no pass", async () => {
    onRpc("run_check", () => ({ ok: false, label: "A mail", cause: "Not seen.", notes: [] }));
    await mount(1);
    await click(MAIL);
    await waitFor(`${LINE}[data-mark=failed]`);
    expect(queryAllTexts(LINE)[0]).toMatch(/A mail\s+Not seen\./);
});

test("waiting ends with Cancel, and the server is told", async () => {
    const answer = new Deferred();
    onRpc("run_check", () => answer);
    onRpc("cancel_check", ({ args }) => {
        expect.step(`cancelled ${args[0]}`);
        return true;
    });
    await mount(1);
    await click(MAIL);
    await animationFrame();
    await click(`${WIDGET} .o_external_account_cancel_mail`);
    await waitFor(MAIL);
    answer.resolve({ ok: true, label: "Late" });
    await animationFrame();
    expect.verifySteps(["cancelled 1"]);
    expect(LINE).toHaveCount(0);
});

test("verdicts have a mark each, and the record to publish", async () => {
    const line = { text: "x", remedy: "", name: "", record: "" };
    onRpc("run_preflight", () => [
        {
            ...line,
            step: "spf",
            verdict: "fail",
            warns: true,
            label: "SPF: fails",
            record: "v=spf1",
        },
        { ...line, step: "dkim", verdict: "unknown", warns: false, label: "DKIM" },
        { ...line, step: "dmarc", verdict: "pass", warns: false, label: "DMARC" },
    ]);
    await mount(2);
    await click(`${WIDGET} .o_external_account_preflight`);
    await waitFor(`${LINE}[data-step=dmarc]`);
    expect(queryAllAttributes(LINE, "data-mark")).toEqual(["warning", "hint", "good"]);
    expect(`${LINE}[data-step=spf] pre`).toHaveText("v=spf1");
});

test("the next one may come after a refusal", async () => {
    expect.errors(1);
    onRpc("run_preflight", () => {
        throw makeServerError({ message: "Too many tests in a short time." });
    });
    await mount(2);
    await click(`${WIDGET} .o_external_account_preflight`);
    await animationFrame();
    await waitFor(`${WIDGET} .o_external_account_preflight`);
    expect.verifyErrors(["Too many tests"]);
});
