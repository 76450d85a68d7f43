-- A copied database sends nothing in the name of real mailboxes and holds no secret.
DELETE FROM mail_external_secret;
UPDATE mail_external_account
   SET state = 'draft', proof = NULL, proof_user_id = NULL, proof_date = NULL;
UPDATE mail_external_account SET forward_token = NULL;
DELETE FROM mail_external_mailbox;
DELETE FROM mail_external_sent_copy;
DELETE FROM mail_external_part;
UPDATE mail_external_account_connect
   SET password_sealed = NULL, incoming_password_sealed = NULL;
UPDATE mail_mail SET state = 'cancel'
 WHERE sending_account_id IS NOT NULL AND state = 'outgoing';
