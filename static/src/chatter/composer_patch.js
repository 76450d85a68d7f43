import { Composer } from "@mail/core/common/composer";

import { toRaw } from "@odoo/owl";

import { browser } from "@web/core/browser/browser";
import { patch } from "@web/core/utils/patch";

/** @type {Composer} */
const composerPatch = {
    /** Whether the chatter shows the picker "From:" for what is written here. */
    get hasExternalSenders() {
        const { composer, type } = this.props;
        return Boolean(
            this.env.inChatter &&
            type === "message" &&
            !composer.message &&
            composer.externalSenders.length,
        );
    },

    get fullComposerAdditionalContext() {
        const context = super.fullComposerAdditionalContext;
        return this.hasExternalSenders
            ? { ...context, external_sender_id: toRaw(this.props.composer).externalSenderId }
            : context;
    },

    get postData() {
        const postData = super.postData;
        if (this.hasExternalSenders) {
            postData.externalAccountId = toRaw(this.props.composer).externalSenderId;
        }
        return postData;
    },

    async processMessage() {
        try {
            return await super.processMessage(...arguments);
        } catch (error) {
            if (this.hasExternalSenders) {
                // Refused, perhaps because of the address: the text stays and can be sent again,
                // and the list shows what can be used now.
                this.state.active = true;
                this.thread.fetchThreadData(["suggestedRecipients"]);
            }
            throw error;
        }
    },

    saveContent() {
        this.takeOverExternalSender();
        super.saveContent(...arguments);
        // Core rebuilds the draft from fixed keys: the picked sender is added to what it saved.
        const { localId, externalAccountId } = toRaw(this.props.composer);
        const draft = browser.localStorage.getItem(localId);
        if (draft && externalAccountId !== undefined) {
            browser.localStorage.setItem(
                localId,
                JSON.stringify({ ...JSON.parse(draft), externalAccountId }),
            );
        }
    },

    /** What was picked in the full composer goes on with the draft. */
    takeOverExternalSender() {
        if (this.state.isFullComposerOpen && this.hasExternalSenders) {
            const { composer } = this.props;
            this.fullComposerBus.trigger("SAVE_EXTERNAL_SENDER", {
                onSave: (senderId) => {
                    if (senderId !== toRaw(composer).externalSenderId) {
                        composer.externalAccountId = senderId;
                    }
                },
            });
        }
    },

    restoreContent() {
        super.restoreContent(...arguments);
        const composer = toRaw(this.props.composer);
        // Core has removed a draft that cannot be parsed.
        const draft = JSON.parse(browser.localStorage.getItem(composer.localId));
        if (Number.isInteger(draft?.externalAccountId)) {
            this.props.composer.externalAccountId = draft.externalAccountId;
        }
    },
};
patch(Composer.prototype, composerPatch);
