/** A histogram: a few additions for each value, and the conversion to the values of Prometheus. */
export class Buckets {
  readonly #bounds: readonly number[]
  /** One element more than `bounds`: the last one counts values above all bounds. */
  readonly #counts: Float64Array
  #sum = 0

  /** `bounds` are ascending. A value belongs to the first bound that is not below it. */
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds
    this.#counts = new Float64Array(bounds.length + 1)
  }

  observe(value: number): void {
    const bounds = this.#bounds
    let i = 0
    while (i < bounds.length && value > bounds[i]!) i++
    this.#counts[i]! += 1 // `counts` has one element more than `bounds`
    this.#sum += value
  }

  /** `<name>_bucket{le}`, each including all lower ones, `_sum` and `_count`. */
  values(name: string): { metricName: string; labels?: { le: string }; value: number }[] {
    let count = 0
    const buckets = [...this.#counts].map((counted, i) => {
      count += counted
      return { metricName: `${name}_bucket`, labels: { le: String(this.#bounds[i] ?? '+Inf') }, value: count }
    })
    return [
      ...buckets,
      { metricName: `${name}_sum`, value: this.#sum },
      { metricName: `${name}_count`, value: count },
    ]
  }
}
