import { describe, expect, test } from "@odoo/hoot";
import { queryAllTexts, queryOne, waitFor } from "@odoo/hoot-dom";
import { animationFrame, Deferred } from "@odoo/hoot-mock";
import {
    contains,
    defineModels,
    fields,
    getService,
    MockServer,
    models,
    mountView,
    mountWithCleanup,
    onRpc,
    patchWithCleanup,
} from "@web/../tests/web_test_helpers";
import { mailModels } from "@mail/../tests/mail_test_helpers";
import { browser } from "@web/core/browser/browser";
import { WebClient } from "@web/webclient/webclient";
import { CHANNEL, goOn } from "@mail_external_account/connect/external_account_sign_in";

describe.current.tags("desktop");

class Connect extends models.Model {
    _name = "mail.external.account.connect";

    email = fields.Char({ required: true });
    password = fields.Char();
    auth_method = fields.Char();
    sign_in_service = fields.Char();
    sign_in_problem = fields.Char();
    sign_in_registers = fields.Boolean();
    takes_password = fields.Boolean();
    is_signed_in = fields.Boolean();
    signed_in_as = fields.Char();
    is_persons_sign_in = fields.Boolean();
    sign_in_failure = fields.Char();
    sign_in_reply = fields.Char();
    tested_ok = fields.Boolean();

    _records = [
        {
            id: 1,
            email: "anna@brand-a.test",
            auth_method: "password",
            sign_in_service: "Google",
            takes_password: true,
        },
    ];
}

const HIDDEN = [
    "auth_method",
    "sign_in_service",
    "sign_in_problem",
    "sign_in_registers",
    "takes_password",
    "is_signed_in",
    "signed_in_as",
    "is_persons_sign_in",
    "sign_in_failure",
    "sign_in_reply",
    "tested_ok",
];
const hidden = (name) => `<field name="${name}" invisible="1"/>`;
Connect._views = {
    form: [
        "<form>",
        ...HIDDEN.map(hidden),
        '<field name="email"/>',
        '<field name="password"/>',
        '<widget name="external_account_sign_in"/>',
        '<widget name="external_account_test"/>',
        "</form>",
    ].join(""),
};

defineModels({ ...mailModels, Connect });

const WIDGET = ".o_external_account_sign_in";
const BUTTON = `${WIDGET}_button`;
const TEST = ".o_external_account_test button";
const PASSWORD = ".o_external_account_use_password";
const URL = "/mail_external_account/sign_in/window/1";
const STEPS = [["smtp_login", "Sign-in"]];

/** Opens the connect window; values of its record may be other ones. */
async function mountConnect(values = {}, context = {}) {
    Object.assign(Connect._records[0], values);
    onRpc("get_steps", () => STEPS);
    onRpc("run_check", ({ args }) => {
        expect.step(`check ${args[1]}`);
        return { step: args[1], label: "Signed in", ok: true, milliseconds: 1 };
    });
    onRpc("action_sign_in", function ({ args: [[id]], model }) {
        this.env[model].write([id], { auth_method: "oauth2" });
        return { type: "ir.actions.act_url", url: URL, target: "new" };
    });
    onRpc("action_use_password", function ({ args: [[id]], model }) {
        this.env[model].write([id], { auth_method: "password", is_signed_in: false });
        return false;
    });
    patchWithCleanup(browser, {
        open(url, target, features) {
            expect.step(`open ${url} ${target} ${features}`);
            return null;
        },
    });
    await mountView({
        type: "form",
        resModel: "mail.external.account.connect",
        resId: 1,
        context,
    });
}

/** As static/page/sign_in.js does it in the tab of the mail service. */
function otherTab() {
    const channel = new browser.BroadcastChannel(CHANNEL);
    const answered = new Deferred();
    channel.onmessage = ({ data }) => data.taken && answered.resolve(data.taken);
    return { channel, answered };
}

test("offers the service beside a password", async () => {
    await mountConnect();
    expect(BUTTON).toHaveText("Sign in with Google");
    expect(WIDGET).toHaveText(/or with a password/);
    expect(PASSWORD).toHaveCount(0);
});

test("one button is the next step", async () => {
    await mountConnect();
    expect(BUTTON).toHaveClass("btn-primary");
    expect(TEST).toHaveClass("btn-secondary");
    await contains("[name=password] input").edit("a password", { confirm: "blur" });
    expect(TEST).toHaveClass("btn-primary");
});

test("opens the service's page, which gets no hold of the window", async () => {
    await mountConnect();
    await contains(BUTTON).click();
    expect.verifySteps([`open ${URL} _blank noopener,noreferrer`]);
    await waitFor(`${WIDGET} a[href='${URL}']`);
    const link = queryOne(`${WIDGET} a[href='${URL}']`);
    expect(link).toHaveAttribute("rel", "noopener noreferrer");
    expect(link).toHaveAttribute("target", "_blank");
    expect(PASSWORD).toHaveText("Use a password instead");
});

test("is saved before, and only once for two clicks", async () => {
    await mountConnect();
    const saved = new Deferred();
    onRpc("web_save", ({ args }) => {
        expect.step(`save ${args[1].email}`);
        return saved;
    });
    await contains("[name=email] input").edit("olena@brand-a.test", { confirm: false });
    await contains(BUTTON).click();
    expect(BUTTON).toHaveAttribute("disabled");
    expect.verifySteps(["save olena@brand-a.test"]);
    saved.resolve([{ id: 1 }]);
    await waitFor(`${BUTTON}:not([disabled])`);
    expect.verifySteps([`open ${URL} _blank noopener,noreferrer`]);
});

test("goes on by itself when somebody has signed in", async () => {
    await mountConnect();
    const { channel, answered } = otherTab();
    MockServer.env["mail.external.account.connect"].write([1], {
        auth_method: "oauth2",
        is_signed_in: true,
        signed_in_as: "anna@brand-a.test",
    });
    channel.postMessage({ done: 1 });
    expect(await answered).toBe(1);
    await waitFor(".o_external_account_test_line[data-state=passed]");
    expect.verifySteps(["check smtp_login"]);
    expect(WIDGET).toHaveText(/Signed in as anna@brand-a\.test/);
    expect(BUTTON).toHaveText("Sign in again");
    channel.close();
});

test("leaves other windows alone, and what is no message of ours", async () => {
    await mountConnect({ auth_method: "oauth2", is_signed_in: true });
    const { channel } = otherTab();
    for (const message of [{ done: 2 }, { done: "1" }, { taken: 1 }, null, "done", {}]) {
        channel.postMessage(message);
    }
    await animationFrame();
    expect.verifySteps([]);
    channel.close();
});

test("tests nothing after a failed sign-in, and says why", async () => {
    await mountConnect();
    const { channel, answered } = otherTab();
    MockServer.env["mail.external.account.connect"].write([1], {
        auth_method: "oauth2",
        sign_in_failure: "You said no.",
        sign_in_reply: "<b>access_denied</b>",
    });
    channel.postMessage({ done: 1 });
    await answered;
    await waitFor(`${WIDGET} .alert-warning`);
    expect(`${WIDGET} .alert-warning`).toHaveText(/You said no\./);
    expect(`${WIDGET} b`).toHaveCount(0);
    expect.verifySteps([]);
    channel.close();
});

test("says what is missing, and where administrators mend it", async () => {
    await mountConnect({
        sign_in_service: false,
        sign_in_problem: "Not set up yet.",
        takes_password: false,
    });
    expect(BUTTON).toHaveCount(0);
    expect(`${WIDGET}_problem`).toHaveText(/Passwords do not work[^]*Not set up yet\./);
    expect(`${WIDGET}_problem a`).toHaveCount(0);
});

test("a link for administrators", async () => {
    await mountConnect({
        sign_in_service: false,
        sign_in_problem: "Not set up yet.",
        sign_in_registers: true,
    });
    expect(`${WIDGET}_problem a`).toHaveText("Register it now");
});

test("goes back to a password", async () => {
    await mountConnect({ auth_method: "oauth2", is_signed_in: true });
    await contains(PASSWORD).click();
    await waitFor(`${BUTTON}:contains(Sign in with Google)`);
    expect(PASSWORD).toHaveCount(0);
});

test("nothing where the mail service has no sign-in", async () => {
    await mountConnect({ sign_in_service: false });
    expect(WIDGET).toHaveCount(0);
});

test("says whose sign-in it is", async () => {
    await mountConnect({
        auth_method: "oauth2",
        is_signed_in: true,
        is_persons_sign_in: true,
    });
    expect(queryAllTexts(`${WIDGET} .small`)[0]).toMatch(/your own sign-in/);
});

test("tests by itself when the window is opened again after a sign-in", async () => {
    await mountConnect({ auth_method: "oauth2", is_signed_in: true }, { starts_test: true });
    await waitFor(".o_external_account_test_line[data-state=passed]");
    expect.verifySteps(["check smtp_login"]);
});

test("opens the window again over the list of addresses", async () => {
    onRpc("action_go_on", ({ args: [ids] }) => {
        expect.step(`go on ${ids}`);
        return [
            {
                type: "ir.actions.act_window",
                res_model: "mail.external.account.connect",
                views: [[false, "form"]],
                res_id: 1,
            },
            {
                type: "ir.actions.act_window",
                res_model: "mail.external.account.connect",
                views: [[false, "form"]],
                res_id: 1,
                target: "new",
            },
        ];
    });
    await mountWithCleanup(WebClient);
    const services = { orm: getService("orm"), action: getService("action") };
    await goOn({ services }, { params: { window_id: "1" } });
    await waitFor(".modal .o_form_view");
    expect.verifySteps(["go on 1"]);
});
