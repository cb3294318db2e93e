/**
 * Named secrets. They are encrypted at rest, and readable only for what a job starts with.
 *
 *   reference:  '${' [ 'secret_values.' ] name '}'
 */
import { ServiceError } from '../service-error.ts'
import type { NamespaceName } from '../streams/names.ts'
import { type SecretKey, SecretProblem } from '../tables/secret-key.ts'
import { type AttributeError, DeploymentError } from './deployment-error.ts'
import { memberOf } from './merge-patch.ts'
import { notFound } from './not-found.ts'
import { secretJson } from './resource-json.ts'
import { assertValid, bodyObject, givenIn, newMetadata, patched } from './resource-request.ts'
import { secretSchema } from './resource-schemas.ts'
import type { ResourceStore } from './resource-store.ts'
import type { Json, SecretValue } from './resources.ts'

/** Of one namespace: they are in memory. */
const SECRETS_MAX = 1_000
/** A shorter one is a part of many words, and is not hidden. */
const HIDDEN_CHARACTERS_MIN = 4
const HIDDEN = '***'
const REFERENCE = /\$\{(?:secret_values\.)?([a-zA-Z0-9_-]{1,250})\}/g

export class SecretValues {
  readonly #store: ResourceStore
  readonly #key: SecretKey
  readonly #values = new WeakMap<SecretValue, string>()

  constructor(store: ResourceStore, key: SecretKey) {
    this.#store = store
    this.#key = key
  }

  list(namespace: NamespaceName): readonly SecretValue[] {
    return this.#store.secrets(namespace)
  }

  get(namespace: NamespaceName, name: string): SecretValue {
    const secret = named(this.#store.secrets(namespace), name)
    if (secret === undefined) throw notFound('SecretValueNotFound', namespace, name)
    return secret
  }

  async create(namespace: NamespaceName, body: Json): Promise<SecretValue> {
    const errors: AttributeError[] = []
    const given = givenIn(secretSchema, body, namespace, errors)
    assertValid(errors)
    const { name } = given.metadata
    const id = this.#store.newId()
    const sealed = await this.#sealed(given.spec.value as string, id)
    return this.#store.change(namespace, (change) => {
      const present = change.secrets(namespace)
      if (named(present, name) !== undefined)
        throw new DeploymentError('NameAlreadyExists', `SecretValue ${name} already exists.`, {
          namespace,
          name,
        })
      if (present.length >= SECRETS_MAX)
        throw new DeploymentError(
          'TooManyResources',
          `namespace ${namespace} has ${SECRETS_MAX} secret values; delete one first`,
        )
      const metadata = { ...newMetadata(id, namespace, this.#store.nowMs(), given), name }
      return change.putSecret({ metadata, spec: { kind: 'PLAIN' }, sealed })
    })
  }

  async patch(namespace: NamespaceName, name: string, patch: Json): Promise<SecretValue> {
    const before = this.get(namespace, name)
    const errors: AttributeError[] = []
    const body = patched(secretJson(before), bodyObject(patch), errors)
    const given = givenIn(secretSchema, body, namespace, errors)
    const value = memberOf(patch, 'spec', 'value')
    assertValid(errors.filter(({ attribute }) => attribute !== 'spec.value' || value !== undefined))
    const { id } = before.metadata
    const sealed = value === undefined ? undefined : await this.#sealed(value as string, id)
    const { labels, annotations } = given.metadata
    return this.#store.change(namespace, (change) => {
      const present = named(change.secrets(namespace), name)
      if (present?.metadata.id !== id) throw notFound('SecretValueNotFound', namespace, name)
      return change.putSecret({
        ...present,
        metadata: { ...present.metadata, labels, annotations },
        ...(sealed !== undefined && { sealed }),
      })
    })
  }

  delete(namespace: NamespaceName, name: string): Promise<SecretValue> {
    return this.#store.change(namespace, (change) => {
      const secret = named(change.secrets(namespace), name)
      if (secret === undefined) throw notFound('SecretValueNotFound', namespace, name)
      change.deleteSecret(secret)
      return secret
    })
  }

  /**
   * A text with the secrets that it names. Throws DeploymentError 'SecretValueNotFound' for an unknown name, and ServiceError
   * 'secret_unusable'. Messages have no secret in them.
   */
  resolve(namespace: NamespaceName, text: string): string {
    if (!text.includes('${')) return text
    return text.replace(REFERENCE, (_, name: string) => this.#value(this.get(namespace, name)))
  }

  /** A message without the secrets of the namespace, as they are and as addresses have them. */
  hide(namespace: NamespaceName, text: string): string {
    let hidden = text
    for (const secret of this.#store.secrets(namespace)) {
      const value = this.#readable(secret)
      if (value === undefined || value.length < HIDDEN_CHARACTERS_MIN || value.length > hidden.length)
        continue
      hidden = hidden.replaceAll(value, HIDDEN).replaceAll(encodeURIComponent(value), HIDDEN)
    }
    return hidden
  }

  #readable(secret: SecretValue): string | undefined {
    try {
      return this.#value(secret)
    } catch (error) {
      if (error instanceof ServiceError) return undefined // no message has it
      throw error
    }
  }

  #value(secret: SecretValue): string {
    const known = this.#values.get(secret)
    if (known !== undefined) return known
    const { metadata, sealed } = secret
    try {
      const value = this.#key.unseal(sealed, ownerOf(metadata.id))
      this.#values.set(secret, value)
      return value
    } catch (cause) {
      if (!(cause instanceof SecretProblem)) throw cause
      throw new ServiceError(
        'secret_unusable',
        `secret value ${metadata.name} cannot be read: ${cause.message}; restore that file and restart, or PATCH the secret value`,
        { cause },
      )
    }
  }

  async #sealed(value: string, id: string): Promise<string> {
    try {
      return await this.#key.seal(value, ownerOf(id))
    } catch (cause) {
      if (!(cause instanceof SecretProblem)) throw cause
      throw new ServiceError('secret_unusable', `the secret value cannot be stored: ${cause.message}`, {
        cause,
      })
    }
  }
}

function ownerOf(id: string): string {
  return `secret-value ${id}`
}

function named(secrets: readonly SecretValue[], name: string): SecretValue | undefined {
  return secrets.find(({ metadata }) => metadata.name === name)
}
