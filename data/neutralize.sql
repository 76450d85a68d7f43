-- A copied database sends nothing in the name of real mailboxes and holds no secret.
DELETE FROM mail_external_secret;
UPDATE mail_external_application SET secret_sealed = NULL, is_ready = FALSE;
UPDATE mail_external_account
   SET state = 'draft', forward_token = NULL, forward_notice = NULL;
UPDATE mail_external_address
   SET state = 'draft', proof = NULL, proof_user_id = NULL, proof_date = NULL;
-- Open connect windows: passwords, tokens, codes, proofs in progress, secret addresses.
DELETE FROM mail_external_account_connect_check;
DELETE FROM mail_external_account_connect_folder;
DELETE FROM mail_external_account_connect_project;
DELETE FROM mail_external_account_connect_sign_in;
DELETE FROM mail_external_account_connect;
-- How far mailboxes are read, and what could be put into them or taken in here again:
-- mail that is kept in quarantine is its owner's.
DELETE FROM mail_external_mailbox;
DELETE FROM mail_external_seen;
UPDATE mail_external_folder SET state = NULL, last_listing = NULL, failure_code = NULL;
DELETE FROM mail_external_sent_copy;
DELETE FROM mail_external_part;
UPDATE mail_external_arrival SET state = 'dismissed'
 WHERE state IN ('quarantine', 'waiting');
DELETE FROM ir_attachment
 WHERE (res_model = 'mail.external.arrival' AND res_field = 'raw')
    OR (res_model = 'mail.external.sent.copy' AND res_field = 'content');
-- Not cancelled: after some months Email Marketing deletes the messages of such rows.
UPDATE mail_notification SET notification_status = 'exception', failure_type = 'unknown'
 WHERE notification_status = 'ready'
   AND mail_mail_id IN (SELECT id FROM mail_mail
                         WHERE sending_address_id IS NOT NULL AND state = 'outgoing');
UPDATE mail_mail SET state = 'exception', failure_type = 'unknown'
 WHERE sending_address_id IS NOT NULL AND state = 'outgoing';
