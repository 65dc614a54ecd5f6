/** The cookies of one browser at one origin, as far as a sign-in needs them: names, values, paths, removal. */
export class CookieJar {
  readonly #cookies = new Map<string, { name: string; value: string; path: string }>()

  store(response: Response): void {
    for (const line of response.headers.getSetCookie()) {
      const [pair = '', ...attributes] = line.split(';').map((part) => part.trim())
      const split = pair.indexOf('=')
      const name = pair.slice(0, split)
      const attribute = (key: string) =>
        attributes.find((candidate) => candidate.toLowerCase().startsWith(`${key}=`))?.slice(key.length + 1)
      const path = attribute('path') ?? '/'
      const expires = attribute('expires')
      const ended = expires !== undefined && Date.parse(expires) <= Date.now()
      if (ended) this.#cookies.delete(`${path} ${name}`)
      else this.#cookies.set(`${path} ${name}`, { name, value: pair.slice(split + 1), path })
    }
  }

  /** Value of the `Cookie` header of a request for `url` (RFC 6265, section 5.4). */
  header(url: URL): string {
    return [...this.#cookies.values()]
      .filter(({ path }) => url.pathname === path || url.pathname.startsWith(path.endsWith('/') ? path : `${path}/`))
      .map(({ name, value }) => `${name}=${value}`)
      .join('; ')
  }
}
