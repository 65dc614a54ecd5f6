import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { errors, Provider } from 'oidc-provider'
import { contentSecurityPolicy, errorPage, homePage, loginPage } from './pages.ts'
import { noAssurance, providerConfiguration, type ProviderResources } from './provider-configuration.ts'
import type { ProviderUser } from './provider-user.ts'

const host = '127.0.0.1'
const bodyLimit = 4096

export interface DevelopmentProvider {
  readonly issuer: string
  close(): Promise<void>
}

/**
 * Starts the development OpenID provider on loopback. It signs in whoever presses a button, so it must never be
 * reachable from elsewhere or trusted by a deployment.
 *
 * @param port 0 takes a free one
 * @param listenPort if something in between listens on `port`
 * @param consoleUrl origin of the console, where its sign-in ends
 * @param clientDocuments URLs of client id metadata documents: MCP clients that say for themselves who they are
 */
export async function startProvider({
  port,
  listenPort = port,
  users,
  resources,
  consoleUrl,
  clientDocuments = [],
  fetch,
}: {
  port: number
  listenPort?: number
  users: readonly ProviderUser[]
  resources: ProviderResources
  consoleUrl: string
  clientDocuments?: readonly string[]
  fetch?: typeof globalThis.fetch
}): Promise<DevelopmentProvider> {
  let answer = (_request: IncomingMessage, response: ServerResponse): void => {
    // It listens before it is configured, since its issuer names the port that it was given.
    response.writeHead(503, { 'retry-after': '1' }).end()
  }
  const server = createServer((request, response) => answer(request, response))
  server.listen(listenPort, host)
  await once(server, 'listening')
  const authority = `${host}:${port || (server.address() as AddressInfo).port}`
  const issuer = `http://${authority}`

  const usersByName = new Map(users.map((user) => [user.name, user]))
  const configured = { users: usersByName, resources, consoleUrl, clientDocuments, ...(fetch && { fetch }) }
  const provider = new Provider(issuer, await providerConfiguration(configured))
  provider.on('server_error', (_ctx, error) => console.error(error))
  provider.on('backchannel.error', (_ctx, error) =>
    console.error(`The gateway was not told of a logout: ${error.message}`),
  )
  const handleOidc = provider.callback()

  const handle = async (request: IncomingMessage, response: ServerResponse) => {
    const path = request.url ?? '/'
    if (path === '/healthz') return void response.writeHead(200).end('ok')
    // A page of another name that resolves here (DNS rebinding) is none of ours.
    if (request.headers.host !== authority) {
      return sendPage(response, 421, errorPage('misdirected_request', `This provider answers as ${issuer} only.`))
    }
    if (path === '/' && request.method === 'GET') return sendPage(response, 200, homePage(users))
    if (!path.startsWith('/interaction/')) return handleOidc(request, response)
    if (request.method === 'GET') return showLogin(request, response)
    if (request.method === 'POST') return finishLogin(request, response)
    response.writeHead(405, { allow: 'GET, POST' }).end()
  }

  const showLogin = async (request: IncomingMessage, response: ServerResponse) => {
    const { uid, params } = await provider.interactionDetails(request, response)
    const client = await provider.Client.find(String(params.client_id))
    const body = loginPage({
      action: `/interaction/${uid}`,
      clientName: client?.clientName ?? String(params.client_id),
      users,
    })
    sendPage(response, 200, body, [new URL(String(params.redirect_uri)).origin])
  }

  const finishLogin = async (request: IncomingMessage, response: ServerResponse) => {
    const { params } = await provider.interactionDetails(request, response)
    const form = new URLSearchParams(await readBody(request))
    if (form.has('cancel')) {
      const result = { error: 'access_denied', error_description: 'The sign-in was cancelled.' }
      return provider.interactionFinished(request, response, result)
    }
    const user = usersByName.get(form.get('user') ?? '')
    if (!user) return sendPage(response, 400, errorPage('invalid_request', 'There is no such demo user.'))

    // Consent is given with the choice, to what was asked for and is the user's own.
    const asked = texts(params.scope).flatMap((scope) => scope.split(' '))
    const granted = asked.filter((scope) => user.scopes.includes(scope))
    const grant = new provider.Grant({ accountId: user.name, clientId: String(params.client_id) })
    if (asked.includes('openid')) grant.addOIDCScope('openid')
    for (const resource of texts(params.resource)) {
      grant.addResourceScope(resource, granted.join(' '))
      grant.rejectResourceScope(resource, asked.filter((scope) => !user.scopes.includes(scope)).join(' '))
    }
    await provider.interactionFinished(request, response, {
      login: { accountId: user.name, acr: noAssurance },
      consent: { grantId: await grant.save() },
    })
  }

  answer = (request, response) => {
    handle(request, response).catch((error: unknown) => {
      if (error instanceof errors.OIDCProviderError) {
        return sendPage(response, error.statusCode, errorPage(error.error, error.error_description ?? ''))
      }
      console.error(error)
      sendPage(response, 500, errorPage('server_error', 'Something went wrong in the development provider.'))
    })
  }

  return {
    issuer,
    async close() {
      const closed = once(server, 'close')
      server.close()
      server.closeIdleConnections()
      await closed
    },
  }
}

/** Of a parameter that may be there not at all, once or several times. */
const texts = (value: unknown) => [value].flat().filter((text) => typeof text === 'string')

function sendPage(response: ServerResponse, status: number, body: string, formTargets: string[] = []): void {
  if (response.headersSent) return void response.end()
  response
    .writeHead(status, {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': contentSecurityPolicy(formTargets),
      'cache-control': 'no-store',
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
    })
    .end(body)
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > bodyLimit) throw new errors.InvalidRequest('the form is too large')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
