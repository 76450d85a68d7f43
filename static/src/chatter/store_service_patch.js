import { Store } from "@mail/core/common/store_service";

import { patch } from "@web/core/utils/patch";

/** @type {import("models").Store} */
const storePatch = {
    async getMessagePostParams({ postData }) {
        const params = await super.getMessagePostParams(...arguments);
        if (postData.externalAddressId !== undefined) {
            params.post_data.external_address_id = postData.externalAddressId;
        }
        return params;
    },
};
patch(Store.prototype, storePatch);
