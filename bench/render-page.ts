import type { Circumstances } from './section.ts'

/**
 * docs/reference/performance.md.
 *
 * @param parts - of sections of which something was measured
 */
export const renderPage = (
  { node, machine }: Circumstances,
  goals: string,
  parts: readonly string[],
): string => `# Performance

Written by \`npm run bench -- gateway\`, \`-- subgraph\`, \`-- database\`, \`-- chat\` and \`-- growth\` in [bench/](../../bench), from
\`bench/results/\`. Node ${node} on ${machine}.

${goals}
${parts.join('\n')}
## How to read it

- CPU time is compared, since requests per second mean little on a machine that does other things, as this one did
  (requests per second as they came are in brackets). CPU time, too, is more where caches are shared: read ratios.
- All but the limit verify an access token (ES256; Behalf and stock keep what they found of one, Hive does as its plugin
  does) and tell each subgraph who calls: Behalf and stock by a token for the body (HS256), Hive by the claims, with an HMAC
  over the request.
- Behalf also authorizes each field, counts limits and makes its audit records.
- "Every literal new": the same query with another string each time. "Every operation new": other fields, in another order.
- Where the time goes is in [performance-profile.md](performance-profile.md).

## What is not claimed

- No database: revocations, limits and audit have a stand-in that answers at once. Subgraphs do not verify what they are sent.
- One query of one shape, on loopback, without TLS. Large answers, many subgraphs and slow ones are not in it.
- Of peers, nothing of memory, start, chats or growth.
- Peers are configured as their documentation has it, not tuned.
`
