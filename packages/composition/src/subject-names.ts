/**
 * Names, in snake case, that say that they name a principal or something that stands for one. A repository adds
 * its own in the root's behalf.json; none can be taken away: `@notSubject(reason:)` is for what they hit wrongly.
 */
const patterns = [
  /^(.*_)?(user|usr|customer|client|owner|account|member|person|profile|principal|subject|subscriber|employee|patient|holder|tenant|org|organi[sz]ation|company|workspace)_(id|ids|ref|key|uuid|guid|no|num|nr|number|numbers|name|names|handle|code)$/,
  /^(user|customer|owner|account|member|principal|subject|sub|tenant|employee|patient|subscriber|uid|iban|login|impersonate|run_as|act_as)s?$/,
  /(^|_)(email|emails|e_mail|e_mails|username|usernames|email_address|e_mail_address|phone_number|on_behalf_of|impersonat(e|ed|ing|ion).*)$/,
]

/** A predicate on names of arguments, input fields and variables, in any casing. */
export function subjectNames(more: readonly RegExp[] = []): (name: string) => boolean {
  const all = [...patterns, ...more]
  return (name) => all.some((pattern) => pattern.test(snakeCase(name)))
}

/** `accountNumber`, `userID`, `Tenant-Id` as `account_number`, `user_id`, `tenant_id`. */
export function snakeCase(name: string): string {
  return name
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replaceAll(/([A-Z])([A-Z][a-z])/g, '$1_$2')
    .replaceAll(/\W+/g, '_')
    .toLowerCase()
}
