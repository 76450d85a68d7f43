import { Store } from "@mail/core/common/store_service";

import { patch } from "@web/core/utils/patch";

/** @type {import("models").Store} */
const storePatch = {
    async getMessagePostParams({ postData }) {
        const params = await super.getMessagePostParams(...arguments);
        if (postData.externalAccountId !== undefined) {
            params.post_data.external_account_id = postData.externalAccountId;
        }
        return params;
    },
};
patch(Store.prototype, storePatch);
