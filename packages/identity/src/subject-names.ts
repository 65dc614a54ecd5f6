/**
 * Names, in snake case, that say that they name a principal or something that stands for one. A repository adds
 * its own in the root's behalf.json; none can be taken away: `@notSubject(reason:)` is for what they hit wrongly.
 */
const patterns = [
  /^(.*_)?(user|usr|customer|client|owner|account|member|person|profile|principal|subject|subscriber|employee|patient|holder|tenant|org|organi[sz]ation|company|workspace)_?(id|ref|key|uuid|guid|no|num|nr|number|name|handle|code)s?$/,
  /^(user|customer|owner|account|member|principal|subject|sub|tenant|employee|patient|subscriber|uid|iban|login|impersonate|run_as|act_as)s?$/,
  /(^|_)(email|emails|e_mail|e_mails|username|usernames|email_address|e_mail_address|phone_number|on_behalf_of|impersonat(e|ed|ing|ion).*)$/,
]

/** What filters and counters put behind a name: `userId_in`, `emailContains`, `userId2`. */
const suffix = /(_?\d+|_(not|n?eq|ne|n?in|is|any|all|list|set|i?like|equals|contains|starts_with|ends_with|[lg]te?))+$/

/** A predicate on names of arguments, input fields, variables and input types, in any casing. */
export function subjectNames(more: readonly RegExp[] = []): (name: string) => boolean {
  const all = [...patterns, ...more]
  return (name) => {
    const whole = snakeCase(name)
    return [whole, whole.replace(suffix, '')].some((each) => all.some((pattern) => pattern.test(each)))
  }
}

/** `accountNumber`, `userID`, `Tenant-Id` as `account_number`, `user_id`, `tenant_id`. */
export function snakeCase(name: string): string {
  return (
    name
      .replaceAll(/([a-z0-9])([A-Z])/g, '$1_$2')
      // The "s" of "IDs" begins no word.
      .replaceAll(/([A-Z])([A-Z](?!s(?![a-z]))[a-z])/g, '$1_$2')
      .replaceAll(/\W+/g, '_')
      .toLowerCase()
  )
}
