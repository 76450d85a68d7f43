import { Chatter } from "@mail/chatter/web_portal/chatter";
import { ExternalSenderPicker } from "@mail_external_account/chatter/external_sender_picker";

Object.assign(Chatter.components, { ExternalSenderPicker });
