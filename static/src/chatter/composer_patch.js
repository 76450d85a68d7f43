import { Composer } from "@mail/core/common/composer";

import { toRaw } from "@odoo/owl";

import { browser } from "@web/core/browser/browser";
import { patch } from "@web/core/utils/patch";

/** @type {Composer} */
const composerPatch = {
    /**
     * Whether what is written here has a sender to go with it: the one that the picker "From:"
     * shows, or what was picked for a draft that is back before the chatter's data.
     */
    get hasExternalSender() {
        const { composer, type } = this.props;
        return Boolean(
            this.env.inChatter &&
            type === "message" &&
            !composer.message &&
            (composer.externalSenders.length || composer.externalAddressId !== undefined),
        );
    },

    get fullComposerAdditionalContext() {
        const context = super.fullComposerAdditionalContext;
        if (!this.hasExternalSender) {
            return context;
        }
        const composer = toRaw(this.props.composer);
        return {
            ...context,
            default_external_sender_picked: composer.externalAddressId !== undefined,
            external_sender_id: composer.externalSenderId,
            // false: the writer has deleted the signature
            external_sender_signature: composer.emailAddSignature,
        };
    },

    get postData() {
        const postData = super.postData;
        if (this.hasExternalSender) {
            postData.externalAddressId = toRaw(this.props.composer).externalSenderId;
        }
        return postData;
    },

    async processMessage() {
        try {
            return await super.processMessage(...arguments);
        } catch (error) {
            if (this.hasExternalSender) {
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
        const { localId, externalAddressId } = toRaw(this.props.composer);
        const draft = browser.localStorage.getItem(localId);
        if (draft && externalAddressId !== undefined) {
            browser.localStorage.setItem(
                localId,
                JSON.stringify({ ...JSON.parse(draft), externalAddressId }),
            );
        }
    },

    /** What was picked in the full composer goes on with the draft. */
    takeOverExternalSender() {
        if (this.state.isFullComposerOpen && this.hasExternalSender) {
            const { composer } = this.props;
            this.fullComposerBus.trigger("SAVE_EXTERNAL_SENDER", {
                onSave: (senderId) => {
                    if (senderId !== toRaw(composer).externalSenderId) {
                        composer.externalAddressId = senderId;
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
        if (Number.isInteger(draft?.externalAddressId)) {
            this.props.composer.externalAddressId = draft.externalAddressId;
        }
    },
};
patch(Composer.prototype, composerPatch);
