import type { Identity } from '@behalf/identity'
import { expectTypeOf } from 'vitest'
import { storedCaller, type Postgres, type StoredCaller } from './index.ts'

type Caller = Parameters<Postgres<object>['bind']>[0]
type Plain<T> = { readonly [K in Extract<keyof T, string>]: T[K] }

// What has all the right properties is still no caller: somebody must have said who it is.
expectTypeOf<Plain<Identity>>().not.toExtend<Caller>()
expectTypeOf<Plain<StoredCaller>>().not.toExtend<Caller>()
expectTypeOf<{ subject: string; tenant: string }>().not.toExtend<StoredCaller>()
expectTypeOf<StoredCaller>().not.toExtend<Identity>()
expectTypeOf<Identity>().not.toExtend<StoredCaller>()

expectTypeOf<Identity>().toExtend<Caller>()
expectTypeOf(storedCaller).returns.toExtend<Caller>()
