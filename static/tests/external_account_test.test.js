import { describe, expect, test } from "@odoo/hoot";
import { click, queryAllAttributes, queryAllTexts, queryOne, waitFor } from "@odoo/hoot-dom";
import { advanceTime, animationFrame, Deferred } from "@odoo/hoot-mock";
import {
    contains,
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

    email = fields.Char({ required: true });
    sender_name = fields.Char();
    smtp_host = fields.Char({
        onChange(record) {
            record.tested_ok = false;
        },
    });
    tested_ok = fields.Boolean();

    _records = [{ id: 1, email: "anna@brand-a.test", smtp_host: "smtp.brand-a.test" }];
}

defineModels({ ...mailModels, Connect });

const WIDGET = ".o_external_account_test";
const LINE = `${WIDGET}_line`;
const STEPS = [
    ["smtp_host", "Host"],
    ["smtp_login", "Sign-in"],
    ["incoming_host", "IMAP: host"],
];
const FAILURE = {
    ok: false,
    milliseconds: 40,
    label: "Sign-in",
    cause: "The password was refused.",
    remedy: "Type it again.",
    reply: "535 go away",
    field: "password",
};

/**
 * Opens the connect window's test.
 *
 * @param {(step: string) => object | Promise<object>} check the server's answer to a step
 * @param {number} [resId] none: an address that is being added
 */
async function mountConnect(check, resId) {
    onRpc("get_steps", () => STEPS);
    onRpc("run_check", async function ({ args: [[id], step], model }) {
        const result = await check(step);
        const answer = { step, label: `${step} checked`, ok: true, milliseconds: 12, ...result };
        if (answer.ok && step === STEPS.at(-1)[0]) {
            this.env[model].write([id], { tested_ok: true });
        }
        return answer;
    });
    await mountView({
        type: "form",
        resModel: "mail.external.account.connect",
        resId,
        arch: `
            <form>
                <field name="tested_ok" invisible="1"/>
                <field name="email"/>
                <field name="sender_name"/>
                <field name="smtp_host"/>
                <widget name="external_account_test"/>
                <div class="o_buttons">
                    <button name="action_save" string="Save account" invisible="not tested_ok"/>
                </div>
            </form>`,
    });
}

const lineStates = () => queryAllAttributes(LINE, "data-state");

async function startTest() {
    await click(`${WIDGET} button:contains(Test account)`);
    await animationFrame();
    await animationFrame();
}

async function type(field, value) {
    await contains(`[name=${field}] input`).edit(value);
    await animationFrame();
}

test("every line appears as it is done; when all passed the account can be saved", async () => {
    const checks = { smtp_host: new Deferred(), smtp_login: new Deferred() };
    await mountConnect((step) => checks[step], 1);
    expect(`${WIDGET} button`).toHaveClass("btn-primary");
    await startTest();
    expect(`${WIDGET} button`).toHaveText("Cancel");
    expect(lineStates()).toEqual(["running", "waiting", "waiting"]);
    checks.smtp_host.resolve();
    await animationFrame();
    expect(lineStates()).toEqual(["passed", "running", "waiting"]);
    expect(queryAllTexts(LINE)[0]).toMatch(/smtp_host checked\s+12 ms/);
    expect("button[name=action_save]").toHaveCount(0);
    checks.smtp_login.resolve();
    await waitFor("button[name=action_save]");
    expect(lineStates()).toEqual(["passed", "passed", "passed"]);
    expect(`${WIDGET} button`).toHaveText("Test account");
    expect(`${WIDGET} button`).toHaveClass("btn-secondary");
});

test("the test stops at the first failure, which says why and what to do", async () => {
    await mountConnect((step) => (step === "smtp_login" ? FAILURE : {}), 1);
    await startTest();
    await waitFor(`${LINE}[data-state=failed]`);
    expect(lineStates()).toEqual(["passed", "failed", "skipped"]);
    const [, failed, skipped] = queryAllTexts(LINE);
    expect(failed).toInclude("Why: The password was refused.");
    expect(failed).toInclude("What to do: Type it again.");
    expect(`${LINE} [role=img]:eq(1)`).toHaveAttribute("aria-label", "Failed");
    expect(skipped).toInclude("not tried");
    expect(`${LINE} details`).not.toHaveAttribute("open");
    expect(queryOne(`${LINE} pre`).textContent).toBe("535 go away");
    expect("button[name=action_save]").toHaveCount(0);
});

test("after Cancel no further check is started, and a late result changes nothing", async () => {
    const login = new Deferred();
    await mountConnect((step) => {
        expect.step(step);
        return step === "smtp_login" ? login : {};
    }, 1);
    await startTest();
    await waitFor(`${LINE}[data-step=smtp_login][data-state=running]`);
    await click(`${WIDGET} button:contains(Cancel)`);
    await animationFrame();
    expect(lineStates()).toEqual(["passed", "skipped", "skipped"]);
    login.resolve();
    await animationFrame();
    expect(lineStates()).toEqual(["passed", "skipped", "skipped"]);
    expect(`${WIDGET} button`).toHaveText("Test account");
    expect.verifySteps(["smtp_host", "smtp_login"]);
});

test("what is typed is saved before it is tested", async () => {
    onRpc("web_save", ({ args }) => {
        expect.step(`saved ${args[1].email}`);
    });
    await mountConnect((step) => {
        expect.step(step);
    });
    await type("email", "anna@brand-a.test");
    await startTest();
    await waitFor("button[name=action_save]");
    expect.verifySteps(["saved anna@brand-a.test", "smtp_host", "smtp_login", "incoming_host"]);
});

test("an incomplete window is not tested", async () => {
    onRpc("web_save", () => expect.step("saved"));
    await mountConnect(() => expect.step("checked"));
    await startTest();
    expect("[name=email]").toHaveClass("o_field_invalid");
    expect(`${WIDGET} button`).toHaveText("Test account");
    expect(LINE).toHaveCount(0);
    expect.verifySteps([]);
});

test("a change of the tested settings marks the result as outdated, another one does not", async () => {
    await mountConnect(() => ({}), 1);
    await startTest();
    await waitFor("button[name=action_save]");
    await type("sender_name", "Anna Kovalenko");
    expect(`${WIDGET} [role=status]`).toHaveCount(0);
    await type("smtp_host", "smtp.elsewhere.test");
    expect(`${WIDGET} [role=status]`).toHaveText(/have changed/);
    expect("button[name=action_save]").toHaveCount(0);
    expect(`${WIDGET} button`).toHaveClass("btn-primary");
});

test("when a request itself fails, Odoo tells why and the window is ready again", async () => {
    expect.errors(1);
    await mountConnect((step) => {
        if (step === "smtp_login") {
            throw makeServerError({ message: "Too many tests" });
        }
    }, 1);
    await startTest();
    await waitFor(`${WIDGET} button:contains(Test account)`);
    await animationFrame();
    expect.verifyErrors(["Too many tests"]);
    expect(lineStates()).toEqual(["passed", "skipped", "skipped"]);
});

/** The server's refusal while another check of the user is under way. */
function refuse() {
    throw makeServerError({
        message: "A test of yours is under way",
        context: { external_account_busy: true },
    });
}

test("a check that has to wait for another one is asked for again, after Cancel too", async () => {
    let isBusy = true;
    await mountConnect((step) => {
        expect.step(step);
        return isBusy ? refuse() : {};
    }, 1);
    await startTest();
    expect(lineStates()).toEqual(["running", "waiting", "waiting"]);
    await click(`${WIDGET} button:contains(Cancel)`);
    await animationFrame();
    await startTest();
    expect(lineStates()).toEqual(["running", "waiting", "waiting"]);
    expect.verifySteps(["smtp_host", "smtp_host"]);
    isBusy = false;
    await advanceTime(1000);
    await waitFor("button[name=action_save]");
    expect(lineStates()).toEqual(["passed", "passed", "passed"]);
    // nothing of the cancelled run
    expect.verifySteps(["smtp_host", "smtp_login", "incoming_host"]);
});

test("when it never is its turn, the window tells why", async () => {
    expect.errors(1);
    await mountConnect(refuse, 1);
    await startTest();
    for (let second = 0; second < 30; second++) {
        await advanceTime(1000);
    }
    await waitFor(`${WIDGET} button:contains(Test account)`);
    await animationFrame();
    expect.verifyErrors(["A test of yours is under way"]);
    expect(lineStates()).toEqual(["skipped", "skipped", "skipped"]);
});
