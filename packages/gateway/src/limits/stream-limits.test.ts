import { describe, expect, it } from 'vitest'
import { anonymous, toPrincipal } from '../authenticate/principal.ts'
import { createStreamLimits, type StreamLimits } from './stream-limits.ts'

const person = (subject: string, address = '192.0.2.1') => ({
  principal: toPrincipal({ ...anonymous, subject, tenant: 'acme' }),
  address,
})
const nobody = (address: string) => ({ principal: anonymous, address })
const limited = (limits: Partial<StreamLimits> = {}) => createStreamLimits({ user: 2, anonymous: 1, all: 5, ...limits })
const tooMany = expect.objectContaining({ code: 'RATE_LIMITED' })

describe('[P15] open streams', () => {
  it('are counted for each user, wherever they come from', () => {
    const take = limited()
    take(person('usr_ada'))
    take(person('usr_ada', '192.0.2.2'))
    expect(() => take(person('usr_ada', '192.0.2.3'))).toThrow(tooMany)
    expect(take(person('usr_ben'))).toBeTypeOf('function')
  })

  it('are counted for each address where nobody is known', () => {
    const take = limited()
    take(nobody('192.0.2.1'))
    expect(() => take(nobody('192.0.2.1'))).toThrow(tooMany)
    take(nobody('192.0.2.2'))
    // A user at that address is somebody else.
    expect(take(person('usr_ada', '192.0.2.1'))).toBeTypeOf('function')
  })

  it('may be opened again once one is closed', () => {
    const take = limited()
    const [first] = [take(person('usr_ada')), take(person('usr_ada'))]
    expect(() => take(person('usr_ada'))).toThrow(tooMany)
    first()
    take(person('usr_ada'))
    expect(() => take(person('usr_ada'))).toThrow(tooMany)
  })

  it('are bounded for everybody together: that is no fault of who comes last', () => {
    const take = limited({ all: 2 })
    const close = take(person('usr_ada'))
    take(person('usr_ben'))
    expect(() => take(person('usr_chloe'))).toThrow(expect.objectContaining({ code: 'UNAVAILABLE' }))
    close()
    expect(take(person('usr_chloe'))).toBeTypeOf('function')
  })

  it('that are refused are not counted', () => {
    const take = limited({ user: 1, all: 2 })
    const close = take(person('usr_ada'))
    for (let attempt = 0; attempt < 5; attempt++) expect(() => take(person('usr_ada'))).toThrow(tooMany)
    take(person('usr_ben'))
    close()
    expect(take(person('usr_ada'))).toBeTypeOf('function')
  })
})
