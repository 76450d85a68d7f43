import { describe, expect, test } from "@odoo/hoot";
import { click, queryAllTexts, waitFor, waitForNone } from "@odoo/hoot-dom";
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
    provider_id = fields.Many2one({ relation: "res.partner" });
    smtp_host = fields.Char();
    ca_certificate = fields.Text();
    is_address_only = fields.Boolean();
    found_settings = fields.Json({
        onChange(record) {
            record.smtp_host = record.found_settings?.smtp?.host;
        },
    });

    _records = [{ id: 1, email: "anna@brand-a.test", smtp_host: "smtp.brand-a.test" }];
}

defineModels({ ...mailModels, Connect });

const WIDGET = ".o_external_account_discovery";
const SOURCES = [
    { source: "mx", label: "Mail exchanger", skipped: "not asked: no package" },
    { source: "autoconfig", label: "Autoconfig", skipped: "" },
    { source: "names", label: "Usual names", skipped: "" },
];
const NOTHING = { text: "nothing found", found: false };
const FOUND = {
    text: "Found by autoconfig",
    found: {
        text: "Found by autoconfig of own.test",
        summary: "SMTP mail.own.test:465",
        warning: "",
        confirm: false,
        smtp: { host: "mail.own.test" },
    },
};
const EMAIL = "anna@own.test";

/**
 * Opens the connect window, of a new address where there is no id.
 *
 * @param {(source: string, email: string) => object | Promise<object>} answer
 */
async function mountConnect(answer, { resId, sources = SOURCES } = {}) {
    onRpc("find_settings", ({ args: [email, source] }) => {
        if (!source) {
            expect.step(`sources ${email}`);
            return sources;
        }
        expect.step(source);
        return answer(source, email);
    });
    await mountView({
        type: "form",
        resModel: "mail.external.account.connect",
        resId,
        arch: `
            <form>
                <field name="email"/>
                <field name="provider_id"/>
                <field name="smtp_host"/>
                <field name="ca_certificate" invisible="1"/>
                <field name="is_address_only" invisible="1"/>
                <field name="found_settings" invisible="1"/>
                <widget name="external_account_discovery"/>
            </form>`,
    });
}

async function type(field, value) {
    await contains(`[name=${field}] input`).edit(value);
    await animationFrame();
    await animationFrame();
}

test("the sources are asked in order until one knows, and its servers are filled in", async () => {
    const autoconfig = new Deferred();
    await mountConnect(() => autoconfig);
    expect(`${WIDGET} .alert`).toHaveCount(0);
    await type("email", EMAIL);
    await waitFor(`${WIDGET} [data-source=autoconfig]`);
    expect(queryAllTexts(`${WIDGET} li`)).toEqual([
        "Mail exchanger: not asked: no package",
        "Autoconfig: …",
    ]);
    autoconfig.resolve(FOUND);
    await waitFor(".o_external_account_found");
    expect(".o_external_account_found").toHaveText(
        "Found by autoconfig of own.test\nSMTP mail.own.test:465",
    );
    expect("[name=smtp_host] input").toHaveValue("mail.own.test");
    expect(`${WIDGET} .alert`).toHaveCount(0);
    expect.verifySteps([`sources ${EMAIL}`, "autoconfig"]);
});

test("when no source knows, each says so, and it can be looked for again", async () => {
    await mountConnect(() => NOTHING);
    await type("email", EMAIL);
    await waitFor(`${WIDGET} button:contains(Look again)`);
    expect(`${WIDGET} .alert`).toHaveText(/not known here: choose it in the list/);
    expect(queryAllTexts(`${WIDGET} li`).at(-1)).toBe("Usual names: nothing found");
    expect.verifySteps([`sources ${EMAIL}`, "autoconfig", "names"]);
    await click(`${WIDGET} button:contains(Look again)`);
    await animationFrame();
    await animationFrame();
    expect.verifySteps([`sources ${EMAIL}`, "autoconfig", "names"]);
});

test("nothing is looked for where the service is known, or there is no address", async () => {
    await mountConnect(() => FOUND, { resId: 1 });
    await type("email", "anna@other.test");
    await type("smtp_host", "");
    await type("email", "anna");
    await type("email", "anna@nodot");
    await type("email", "");
    expect.verifySteps([]);
});

test("a known domain has no sources", async () => {
    await mountConnect(() => FOUND, { sources: [] });
    await type("email", EMAIL);
    expect.verifySteps([`sources ${EMAIL}`]);
});

test("what the user typed meanwhile stays; what was found is offered", async () => {
    const autoconfig = new Deferred();
    await mountConnect(() => autoconfig);
    await type("email", EMAIL);
    await type("smtp_host", "typed.test");
    autoconfig.resolve(FOUND);
    await waitFor(`${WIDGET} button:contains(Use these settings)`);
    expect("[name=smtp_host] input").toHaveValue("typed.test");
    await click(`${WIDGET} button:contains(Use these settings)`);
    await waitFor(".o_external_account_found");
    expect("[name=smtp_host] input").toHaveValue("mail.own.test");
    expect.verifySteps([`sources ${EMAIL}`, "autoconfig"]);
});

test("servers that have to be confirmed wait for a click", async () => {
    const warning = "These servers are not of your own domain";
    const found = { ...FOUND.found, confirm: true, warning };
    await mountConnect(() => ({ text: "Found", found }));
    await type("email", EMAIL);
    await waitFor(`${WIDGET} button:contains(Use these settings)`);
    expect(`${WIDGET} .alert`).toHaveText(new RegExp(warning));
    expect("[name=smtp_host] input").toHaveValue("");
    expect.verifySteps([`sources ${EMAIL}`, "autoconfig"]);
});

test("a stopped search asks no further source and takes no late answer", async () => {
    const autoconfig = new Deferred();
    await mountConnect(() => autoconfig);
    await type("email", EMAIL);
    await waitFor(`${WIDGET} button:contains(Stop looking)`);
    await click(`${WIDGET} button:contains(Stop looking)`);
    await animationFrame();
    autoconfig.resolve(FOUND);
    await animationFrame();
    await animationFrame();
    expect("[name=smtp_host] input").toHaveValue("");
    expect.verifySteps([`sources ${EMAIL}`, "autoconfig"]);
});

test("another address stops the search for the first one", async () => {
    const first = new Deferred();
    await mountConnect((source, email) => (email === EMAIL ? first : NOTHING));
    await type("email", EMAIL);
    await waitFor(`${WIDGET} [data-source=autoconfig]`);
    await type("email", "anna@next.test");
    first.resolve(FOUND);
    await waitFor(`${WIDGET} button:contains(Look again)`);
    expect("[name=smtp_host] input").toHaveValue("");
    expect.verifySteps([
        `sources ${EMAIL}`,
        "autoconfig",
        "sources anna@next.test",
        "autoconfig",
        "names",
    ]);
});

test("while a test of theirs is under way it is asked again", async () => {
    let isBusy = true;
    await mountConnect(() => {
        if (isBusy) {
            isBusy = false;
            throw makeServerError({
                type: "UserError",
                context: { external_account_busy: true },
            });
        }
        return FOUND;
    });
    await type("email", EMAIL);
    await advanceTime(1100);
    await waitFor(".o_external_account_found");
    expect.verifySteps([`sources ${EMAIL}`, "autoconfig", "autoconfig"]);
});

test("a refusal is told in the window, not in another one", async () => {
    await mountConnect(() => {
        throw makeServerError({ type: "UserError", message: "Too many tests." });
    });
    await type("email", EMAIL);
    await waitFor(`${WIDGET} .alert:contains(Too many tests.)`);
    await waitForNone(".o_dialog");
    expect.verifySteps([`sources ${EMAIL}`, "autoconfig"]);
});
