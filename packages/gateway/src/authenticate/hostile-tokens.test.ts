import { createHmac, createPublicKey } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { AppError } from '@behalf/identity'
import fc from 'fast-check'
import { CompactEncrypt, exportJWK, generateKeyPair, SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { invalid, testAuthentication, type TestedAuthentication, trust } from '../fixtures/authentication.ts'
import { type IdentityProvider, startIdentityProvider } from '../fixtures/identity-provider.ts'
import { createMemoryAuthority } from '../fixtures/memory-authority.ts'

let provider: IdentityProvider
let authentication: TestedAuthentication
/** The parts of a token that passes. */
let header: Record<string, unknown>
let claims: Record<string, unknown>

beforeAll(async () => {
  provider = await startIdentityProvider()
  authentication = testAuthentication([trust(provider)], createMemoryAuthority())
  const [head = '', payload = ''] = (await provider.mint()).split('.')
  header = JSON.parse(Buffer.from(head, 'base64url').toString()) as typeof header
  claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as typeof claims
})
afterAll(() => provider[Symbol.asyncDispose]())

const base64url = (value: unknown) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')
/** A token of these parts, as they are, with a signature of the provider's key. */
function signed(head: unknown, payload: unknown): string {
  const input = `${base64url(head)}.${base64url(payload)}`
  return `${input}.${provider.signatureOf(input)}`
}
/** Who it authenticates, or why it does not. */
const outcomeOf = (token: string) =>
  authentication.bear(token).then(
    ({ subject }) => subject,
    (error: unknown) => (error instanceof AppError ? error.code : error),
  )
const refused = 'CREDENTIAL_INVALID'
const passes = 'usr_ada'

it('the twin of all that follows passes', async () => {
  expect(await outcomeOf(signed(header, claims))).toBe(passes)
})

describe('[P1] a signature', () => {
  it.each(['none', 'None', 'NONE', 'nOnE', 'nonE', '', ' none', null, undefined, ['ES256'], 'es256', 'HS256'])(
    'of algorithm %j is none',
    async (alg) => {
      const [, , signature] = signed(header, claims).split('.')
      const input = `${base64url({ ...header, alg })}.${base64url(claims)}`
      for (const end of ['', signature, provider.signatureOf(input)])
        expect(await outcomeOf(`${input}.${end}`)).toBe(refused)
      // Two dots and nothing behind them is not a bearer token of ours, nor is one dot.
      expect(await outcomeOf(input)).toBe(refused)
    },
  )

  it.each(['HS256', 'HS384', 'HS512'])(
    'made with the public key as a secret of %s is none (RFC 8725 2.1)',
    async (alg) => {
      const [jwk] = provider.publicKeys
      const key = createPublicKey({ key: { ...jwk }, format: 'jwk' })
      const spki = { type: 'spki', format: 'pem' } as const
      const secrets = [key.export(spki), key.export({ ...spki, format: 'der' }), JSON.stringify(jwk), jwk?.x ?? '', '']
      const input = `${base64url({ ...header, alg })}.${base64url(claims)}`
      for (const secret of secrets)
        expect(
          await outcomeOf(`${input}.${createHmac(alg.replace('HS', 'sha'), secret).update(input).digest('base64url')}`),
        ).toBe(refused)
    },
  )

  it("of zeros, of an empty text, or of somebody else's key is none", async () => {
    const input = `${base64url(header)}.${base64url(claims)}`
    const others = await generateKeyPair('ES256')
    expect(await outcomeOf(`${input}.${Buffer.alloc(64).toString('base64url')}`)).toBe(refused)
    expect(await outcomeOf(`${input}.${Buffer.alloc(0).toString('base64url')}`)).toBe(refused)
    expect(
      await outcomeOf(
        await new SignJWT(claims).setProtectedHeader({ ...header, alg: 'ES256' }).sign(others.privateKey),
      ),
    ).toBe(refused)
  })
})

describe('[P1] a header never says which key to trust (RFC 8725 3.10)', () => {
  it.each(['jwk', 'jku', 'x5u', 'x5c'])('by %s', async (parameter) => {
    const mallory = await generateKeyPair('ES256', { extractable: true })
    const jwk = { ...(await exportJWK(mallory.publicKey)), alg: 'ES256', kid: 'mallory', use: 'sig' }
    let asked = 0
    const server = createServer((_request, response) => {
      asked++
      response.end(JSON.stringify({ keys: [jwk] }))
    }).listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
    const value = { jwk, jku: url, x5u: url, x5c: [base64url(jwk)] }[parameter]
    for (const kid of [header['kid'], 'mallory', undefined]) {
      const protectedHeader = { ...header, alg: 'ES256', [parameter]: value, ...(kid === undefined ? {} : { kid }) }
      expect(
        await outcomeOf(
          await new SignJWT(claims).setProtectedHeader(protectedHeader as { alg: string }).sign(mallory.privateKey),
        ),
      ).toBe(refused)
    }
    // What it says is not looked at: signed with the issuer's key, it is the issuer's.
    expect(await outcomeOf(signed({ ...header, [parameter]: value }, claims))).toBe(passes)
    expect(asked).toBe(0)
    server.close()
  })

  it.each([
    '../../../../dev/null',
    '/proc/sys/kernel/randomize_va_space',
    "x' union select 'secret' --",
    '| cat /etc/passwd',
    'http://127.0.0.1/jwks',
    '__proto__',
    '',
    7,
    null,
    ['a'],
    { toString: 'a' },
  ])('by a kid of %j', async (kid) => {
    expect(await outcomeOf(signed({ ...header, kid }, claims))).toBe(refused)
    const input = `${base64url({ ...header, kid, alg: 'HS256' })}.${base64url(claims)}`
    expect(await outcomeOf(`${input}.${createHmac('sha256', '').update(input).digest('base64url')}`)).toBe(refused)
  })

  it('nor is a critical extension passed over (RFC 7515 4.1.11)', async () => {
    for (const crit of [['exp2'], ['exp'], [], 'exp2', [''], ['alg'], null])
      expect(await outcomeOf(signed({ ...header, crit, exp2: 1 }, claims))).toBe(refused)
    expect(await outcomeOf(signed({ ...header, exp2: 1 }, claims))).toBe(passes)
  })
})

describe('[P1] what is signed', () => {
  it('is base64url, never raw (RFC 7797)', async () => {
    const head = { ...header, b64: false, crit: ['b64'] }
    expect(await outcomeOf(signed(head, claims))).toBe(refused)
    const payload = JSON.stringify(claims)
    expect(
      await outcomeOf(
        `${base64url(head)}.${base64url(payload)}.${provider.signatureOf(`${base64url(head)}.${payload}`)}`,
      ),
    ).toBe(refused)
    expect(await outcomeOf(signed({ ...header, b64: true }, claims))).toBe(passes)
  })

  it('is an object of claims', async () => {
    for (const payload of ['', '{', 'null', '[]', '"ada"', '7', `[${JSON.stringify(claims)}]`, '\ufeff{}'])
      expect(await outcomeOf(signed(header, payload))).toBe(refused)
  })

  it('is no other token, and nothing encrypted', async () => {
    const inner = signed(header, claims)
    expect(await outcomeOf(signed({ ...header, cty: 'JWT' }, inner))).toBe(refused)
    expect(await outcomeOf(signed({ ...header, cty: 'JWT' }, JSON.stringify(inner)))).toBe(refused)
    const { publicKey } = await generateKeyPair('ECDH-ES', { crv: 'P-256' })
    const encrypt = new CompactEncrypt(Buffer.from(inner))
    expect(
      await outcomeOf(
        await encrypt.setProtectedHeader({ alg: 'ECDH-ES', enc: 'A256GCM', cty: 'JWT' }).encrypt(publicKey),
      ),
    ).toBe(refused)
  })

  // One parser reads the claims, and the issuer signed them: which of two counts is what JSON.parse says, the last.
  it('may say a claim twice, and then the last counts', async () => {
    const text = JSON.stringify(claims)
    expect(await outcomeOf(signed(header, text.replace('"sub":"ada"', '"sub":"mallory","sub":"ada"')))).toBe(passes)
    expect(await outcomeOf(signed(header, text.replace('"sub":"ada"', '"sub":"ada","sub":"mallory"')))).toBe(refused)
    expect(
      await outcomeOf(signed(header, text.replace('"aud":', '"aud":"https://api.example/graphql","aud":["x"],"x":'))),
    ).toBe(refused)
  })

  it('is whole, of three parts, and of at most 8 KiB', async () => {
    const token = signed(header, claims)
    for (const altered of [`${token}.`, `.${token}`, `${token}.x`, token.replace('.', ''), token.replace('.', '..')])
      expect(await outcomeOf(altered)).toBe(refused)
    expect(await outcomeOf(signed(header, { ...claims, pad: 'x'.repeat(5000) }))).toBe(passes)
    expect(await outcomeOf(signed(header, { ...claims, pad: 'x'.repeat(6200) }))).toBe(refused)
    expect(await outcomeOf(`${'a'.repeat(2_000_000)}.${token}`)).toBe(refused)
  })
})

describe('[P1] no other spelling', () => {
  it('of a token passes: not one with any character altered', async () => {
    const token = signed(header, claims)
    expect(await outcomeOf(token)).toBe(passes)
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/~ '
    await fc.assert(
      fc.asyncProperty(fc.nat(token.length - 1), fc.constantFrom(...alphabet.split('')), async (index, character) => {
        fc.pre(token[index] !== character)
        const altered = token.slice(0, index) + character + token.slice(index + 1)
        await expect(authentication.bear(altered)).rejects.toMatchObject({ status: 401 })
      }),
      { numRuns: 500 },
    )
    // Every spelling of the last character of each part, of which some decode to the same bytes.
    for (const end of [...token.matchAll(/.(?=\.|$)/g)].map(({ index }) => index)) {
      for (const character of alphabet.replace(token.charAt(end), '')) {
        const altered = token.slice(0, end) + character + token.slice(end + 1)
        await expect(authentication.bear(altered)).rejects.toMatchObject({ status: 401 })
      }
    }
  })

  it('of a token passes: not one with characters added, taken away or repeated', async () => {
    const token = signed(header, claims)
    const place = fc.nat(token.length)
    await fc.assert(
      fc.asyncProperty(place, place, fc.string({ maxLength: 3 }), async (from, to, added) => {
        const altered = token.slice(0, from) + added + token.slice(to)
        fc.pre(altered.trim() !== token)
        await expect(authentication.bear(altered)).rejects.toMatchObject({ status: 401 })
      }),
      { numRuns: 500 },
    )
  })

  it('and no header of any kind authenticates, or does anything but be refused with a code', async () => {
    const part = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('Bearer', ' ', '.', base64url(header)))
    const value = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(part, { maxLength: 8 }).map((parts) => parts.join('')),
      fc.tuple(fc.json(), fc.json(), fc.string()).map((parts) => `Bearer ${parts.map(base64url).join('.')}`),
    )
    await fc.assert(
      fc.asyncProperty(value, async (authorization) => {
        const outcome = await authentication.show(['authorization', authorization]).catch((error: unknown) => error)
        expect(outcome).toBeInstanceOf(AppError)
        expect(outcome).toMatchObject({ status: 401 })
      }),
      { numRuns: 1000 },
    )
  })

  it('and what the issuer signed, of whatever shape, is refused with a code or names whom it names', async () => {
    const names = ['aud', 'sub', 'client_id', 'scope', 'act', 'cnf', 'sid', 'exp', 'iat', 'nbf', 'tenant', 'acr']
    const some = fc.dictionary(fc.constantFrom(...names, '__proto__', 'x'), fc.jsonValue(), { maxKeys: 3 })
    const seen = new Set<unknown>()
    await fc.assert(
      fc.asyncProperty(some, some, async (head, payload) => {
        const token = signed({ ...header, ...head }, { ...claims, ...payload })
        seen.add(await outcomeOf(token))
      }),
      { numRuns: 500 },
    )
    expect(seen).toEqual(new Set([passes, refused]))
  })
})

it('[P2] why a token is refused is said without a word of it', async () => {
  const secret = 'zq7-secret'
  for (const token of [
    signed(header, `{"sub":"${secret}`),
    signed(`{"kid":"${secret}`, claims),
    signed({ ...header, kid: secret }, claims),
    signed(header, { ...claims, iss: secret }),
    signed(header, { ...claims, exp: 1, sub: secret }),
    signed(header, { ...claims, sub: secret }),
    signed({ ...header, typ: secret }, claims),
    signed(header, secret),
  ]) {
    const error = await authentication.bear(token).catch((refusal: unknown) => refusal)
    expect(error).toMatchObject(invalid)
    expect((error as AppError).cause).toEqual(expect.any(String))
    expect(String((error as AppError).cause)).not.toContain('zq7')
  }
})
