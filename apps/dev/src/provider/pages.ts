import { createHash } from 'node:crypto'
import type { ProviderUser } from './provider-user.ts'

const style = `
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; --line: #8884; --accent: #3557d6 }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; background: Canvas; color: CanvasText }
main { box-sizing: border-box; width: min(30rem, 100%); padding: 2rem 1.25rem }
h1 { font-size: 1.5rem; line-height: 1.2; margin: 0 0 .5rem }
.note { margin: 0 0 1.5rem; padding: .625rem .875rem; border-left: 4px solid #b7791f; background: #b7791f1f }
ul { list-style: none; margin: 0; padding: 0; display: grid; gap: .625rem }
button { width: 100%; padding: .75rem 1rem; text-align: start; font: inherit; color: inherit; cursor: pointer;
  background: transparent; border: 1px solid var(--line); border-radius: .625rem }
button:hover { border-color: var(--accent); background: #3557d614 }
button:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px }
button strong { display: block; font-size: 1.0625rem }
button span { opacity: .8 }
button.quiet { margin-top: 1.25rem; text-align: center }
a { color: inherit }
`
const styleHash = createHash('sha256').update(style).digest('base64')

/** What a page may load, and where its forms may lead: browsers apply `form-action` to the redirects that follow. */
export function contentSecurityPolicy(formTargets: string[]): string {
  return [
    `default-src 'none'`,
    `style-src 'sha256-${styleHash}'`,
    `form-action ${["'self'", ...formTargets].join(' ')}`,
    `frame-ancestors 'none'`,
    `base-uri 'none'`,
  ].join('; ')
}

/** One button per demo user. Whoever can open the page can be any of them: hence the warning. */
export function loginPage({
  action,
  clientName,
  users,
}: {
  action: string
  clientName: string
  users: readonly ProviderUser[]
}): string {
  const buttons = users.map(
    (user) => `
      <li><button name="user" value="${escape(user.name)}">
        <strong>${escape(user.name)}</strong> <span>${escape(user.description)}</span>
      </button></li>`,
  )
  return page(
    'Choose a demo user',
    `
    <p>${escape(clientName)} asks you to sign in.</p>
    <p class="note">For development only: there is no password, and anyone on this machine can be anyone.</p>
    <form method="post" action="${escape(action)}">
      <ul aria-label="Demo users">${buttons.join('')}
      </ul>
      <button class="quiet" name="cancel" value="yes">Cancel</button>
    </form>`,
  )
}

/** @param form the hidden form that oidc-provider made, with id `op.logoutForm` */
export function logoutPage(form: string): string {
  return page(
    'Sign out?',
    `${form}
    <button form="op.logoutForm" type="submit" name="logout" value="yes">Sign out</button>
    <button class="quiet" form="op.logoutForm" type="submit">Stay signed in</button>`,
  )
}

/** For whoever opens the provider's own address: signing in begins at a client. */
export function homePage(users: readonly ProviderUser[]): string {
  const rows = users.map(({ name, description }) => `<li><strong>${escape(name)}</strong>, ${escape(description)}</li>`)
  return page(
    'Development provider',
    `
    <p>Clients send you here to sign in as one of the demo users.</p>
    <p class="note">For development only: there is no password, and anyone on this machine can be anyone.</p>
    <ul aria-label="Demo users">${rows.join('')}</ul>
    <p>In a terminal: <code>npm run --silent token -- ${escape(users[0]?.name ?? '')}</code></p>
    <p><a href="/.well-known/openid-configuration">OpenID configuration</a></p>`,
  )
}

export function signedOutPage(): string {
  return page('You are signed out', '<p>You can close this page.</p>')
}

export function errorPage(error: string, description: string): string {
  return page('This did not work', `<p>${escape(description)}</p><p><code>${escape(error)}</code></p>`)
}

function page(title: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>${title} - Behalf development sign-in</title>
  <style>${style}</style>
</head>
<body>
  <main>
    <h1>${title}</h1>${body}
  </main>
</body>
</html>
`
}

const escape = (text: string) => text.replaceAll(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
