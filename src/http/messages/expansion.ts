/**
 * How much a body may grow while it is decoded: what keeps a few kilobytes from filling the disk.
 *
 * Memory is bounded whatever comes out, for a batch is stored as it is decoded; the disk is not. One layer of deflate, and
 * so of gzip, makes at most 1,032 bytes of one; brotli and zstd make tens of thousands, and layers multiply. So a body may
 * grow as much as one layer of deflate lets it: a log of one repeated line passes, a bomb does not
 * (docs/decisions/0018-expansion.md).
 */
import { ServiceError } from '../../service-error.ts'

/** Bytes out for one byte sent: deflate's 1,032, and some for what a decoder has in hand. */
export const EXPANSION_RATIO_MAX = 1_100
/** Bytes that may come out before the ratio counts: one event of the usual limit, however well it is compressed. */
export const EXPANSION_FREE_BYTES = 16 * 1024 * 1024

/** Of one body. */
export class Expansion {
  /** Bytes that were sent, as far as they have been decoded. */
  sentBytes = 0
  /** The most that has come out at any layer: what windows of decoders are filled with. */
  grownBytes = 0

  /** `grownBytes` have come out of them, at any layer. Throws ServiceError 'expands_too_much'. */
  assert(grownBytes: number): void {
    if (grownBytes > this.grownBytes) this.grownBytes = grownBytes
    if (grownBytes <= EXPANSION_FREE_BYTES || grownBytes <= EXPANSION_RATIO_MAX * this.sentBytes) return
    throw new ServiceError(
      'expands_too_much',
      `the body decompresses to more than ${EXPANSION_RATIO_MAX} times its size; send it compressed once, ` +
        'or in several parts',
    )
  }
}
