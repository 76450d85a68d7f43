/* A real OAuth2 and OpenID Connect server for tests: npm's oidc-provider with pages of
 * its own, told what to do by authorization.py through /control of its inner port.
 * Everything lives in memory: a restart forgets who signed in. */
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const settings = JSON.parse(readFileSync(process.argv[2], "utf8"));
const library = join(settings.modules, "oidc-provider", "lib", "index.js");
const { default: Provider, interactionPolicy } = await import(pathToFileURL(library));

/** What the tests change while it runs; see Behaviour in authorization.py. */
const behaviour = {};
/** Per login: the ids of what they agreed to. */
const grants = new Map();
const accessTokens = new Map();
/** What the token endpoint answered: [grant type, "ok" or the error]. */
let answered = [];
/** Every code and token that it gave. */
const given = [];

const policy = interactionPolicy.base();
policy.add(new interactionPolicy.Prompt({ name: "select_account", requestable: true }), 0);

const provider = new Provider(settings.issuer, {
    clients: settings.clients,
    cookies: { keys: [randomBytes(20).toString("hex")] },
    jwks: { keys: [newKey()] },
    scopes: ["openid", "offline_access", "mail", "email"],
    claims: { openid: ["sub"], email: ["email", "email_verified"], mail: ["email"] },
    conformIdTokenClaims: false,
    pkce: { required: () => true },
    rotateRefreshToken: () => behaviour.rotate,
    issueRefreshToken: async (ctx, client, code) => code.scopes.has("offline_access"),
    ttl: {
        AccessToken: () => behaviour.access_seconds,
        RefreshToken: 86400,
        AuthorizationCode: 60,
        Grant: 86400,
        Session: 86400,
        Interaction: 600,
        IdToken: 600,
    },
    interactions: { policy, url: (ctx, interaction) => `/interaction/${interaction.uid}` },
    features: {
        devInteractions: { enabled: false },
        revocation: { enabled: true },
        clientCredentials: { enabled: true },
        introspection: {
            enabled: true,
            allowedPolicy: async (ctx, client) => client.clientId === settings.introspector,
        },
    },
    findAccount: async (ctx, id) => ({
        accountId: id,
        claims: async () => ({ sub: id, email: id, ...behaviour.claims[id] }),
    }),
    // What a mail server reads: who signed in, whatever the claims say.
    extraTokenClaims: async (ctx, token) => ({ email: token.accountId }),
});

// Odoo's address is known only once it runs.
provider.Client.prototype.redirectUriAllowed = (address) => behaviour.redirects.includes(address);
// Longer ones than the library makes: those of the large services are.
const makeId = provider.AccessToken.prototype.generateTokenId;
provider.AccessToken.prototype.generateTokenId = function (...more) {
    const id = makeId.apply(this, more);
    return id + "-".repeat(Math.max(0, behaviour.access_length - id.length));
};
provider.on("access_token.saved", (token) => {
    remember(grants, token.accountId, token.grantId);
    remember(accessTokens, token.accountId, token.jti);
});
for (const kind of ["access_token", "refresh_token", "authorization_code"]) {
    provider.on(`${kind}.saved`, (token) => given.push(token.jti));
}
provider.on("grant.success", (ctx) => answered.push([ctx.oidc.params.grant_type, "ok"]));
provider.on("grant.error", (ctx, error) =>
    answered.push([ctx.oidc.params?.grant_type ?? "", error.error ?? "server_error"]),
);
provider.on("server_error", (ctx, error) => console.error(error));

function newKey() {
    const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    return { ...privateKey.export({ format: "jwk" }), use: "sig", alg: "RS256" };
}

function remember(map, login, id) {
    map.set(login, (map.get(login) ?? new Set()).add(id));
}

async function expire(login) {
    for (const id of accessTokens.get(login) ?? []) {
        await (await provider.AccessToken.find(id))?.destroy();
    }
    accessTokens.delete(login);
}

async function revoke(login) {
    await expire(login);
    for (const id of grants.get(login) ?? []) {
        await provider.RefreshToken.revokeByGrantId(id);
        await (await provider.Grant.find(id))?.destroy();
    }
    grants.delete(login);
}

async function control(request, response) {
    const { expire: expired, revoke: revoked, ...changes } = JSON.parse(await body(request));
    Object.assign(behaviour, changes);
    if (expired) await expire(expired);
    if (revoked) await revoke(revoked);
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ answered, given }));
    if (changes.forget) answered = [];
}

async function body(request) {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    return Buffer.concat(chunks).toString("utf8");
}

// -- the pages ------------------------------------------------------------------------

async function interact(request, response) {
    const { prompt, params, session, grantId } = await provider.interactionDetails(
        request,
        response,
    );
    if (request.method === "GET") {
        return page(response, prompt.name === "consent" ? consentForm(params) : loginForm(params));
    }
    const form = new URLSearchParams(await body(request));
    let result = { error: "access_denied", error_description: "The person pressed Cancel" };
    if (form.get("answer") === "yes") {
        result =
            prompt.name === "consent"
                ? { consent: { grantId: await agreed(prompt, params, session, grantId) } }
                : {
                      login: { accountId: form.get("login").trim().toLowerCase() },
                      select_account: {},
                  };
    }
    const options = { mergeWithLastSubmission: prompt.name === "consent" };
    return provider.interactionFinished(request, response, result, options);
}

async function agreed(prompt, params, session, grantId) {
    const known = grantId && (await provider.Grant.find(grantId));
    const grant =
        known || new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
    const { missingOIDCScope, missingOIDCClaims } = prompt.details;
    if (missingOIDCScope) grant.addOIDCScope(missingOIDCScope.join(" "));
    if (missingOIDCClaims) grant.addOIDCClaims(missingOIDCClaims);
    return grant.save();
}

function loginForm(params) {
    return `<h1>Sign in</h1>
        <label>Address <input name="login" required value="${safe(params.login_hint ?? "")}"></label>
        <label>Password <input name="password" type="password" value="x"></label>
        <button name="answer" value="yes">Next</button>`;
}

function consentForm(params) {
    return `<h1>${safe(params.client_id)} wants to read and send your mail</h1>
        <p>${safe(params.scope ?? "")}</p>
        <button name="answer" value="yes">Allow</button>`;
}

function safe(text) {
    return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

function page(response, form) {
    response.setHeader("content-type", "text/html; charset=utf-8");
    response.end(`<!doctype html><html lang="en"><title>Test mail service</title>
        <meta name="viewport" content="width=device-width">
        <form method="post">${form}
        <button name="answer" value="no" formnovalidate>Cancel</button></form></html>`);
}

// -- the listeners --------------------------------------------------------------------

const answer = provider.callback();

/** What a broken service answers instead; true when it was answered. */
async function failed(path, response) {
    const fault = behaviour.fault;
    if (!fault || fault.path !== path || fault.times < 1) return false;
    fault.times -= 1;
    await new Promise((done) => setTimeout(done, fault.delay * 1000));
    if (!fault.status) return false;
    response.writeHead(fault.status, fault.headers);
    response.end(fault.body);
    return true;
}

async function serve(request, response, inner) {
    const path = new URL(request.url, "http://localhost").pathname;
    response.on("finish", () => console.log(request.method, path, response.statusCode));
    if (inner && path === "/control") return control(request, response);
    if (await failed(path, response)) return;
    if (path.startsWith("/interaction/")) return interact(request, response);
    answer(request, response);
}

function guarded(inner) {
    return (request, response) =>
        serve(request, response, inner).catch((error) => {
            console.error(error);
            if (!response.headersSent) response.writeHead(400);
            response.end(String(error.error_description ?? error.message));
        });
}

const outer = settings.certificate
    ? https.createServer(
          { cert: readFileSync(settings.certificate), key: readFileSync(settings.key) },
          guarded(false),
      )
    : http.createServer(guarded(false));
Object.assign(behaviour, settings.behaviour);
outer.listen(settings.port, "127.0.0.1");
http.createServer(guarded(true)).listen(settings.inner_port, "127.0.0.1");
