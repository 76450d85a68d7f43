import { browser } from "@web/core/browser/browser";

/** How often a check is asked for again, a second apart: another one may take twice ten seconds. */
const BUSY_TRIES = 25;
const BUSY_DELAY = 1000;

/**
 * The server refuses a second check of the same user, and too many of all users at a time.
 * That of a cancelled run may still be under way: then this one is asked for again.
 *
 * @template T
 * @param {() => Promise<T>} call asks for the check
 * @param {() => boolean} isWanted whether somebody still waits for it
 * @returns {Promise<T | null>} null when nobody did any more
 */
export async function callPatiently(call, isWanted) {
    for (let tries = 1; isWanted(); tries++) {
        try {
            return await call();
        } catch (error) {
            const isBusy = error.data?.context?.external_account_busy;
            if (!isBusy || (tries >= BUSY_TRIES && isWanted())) {
                throw error;
            }
        }
        await new Promise((resolve) => browser.setTimeout(resolve, BUSY_DELAY));
    }
    return null;
}
