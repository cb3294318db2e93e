/** Days and seconds since 1970-01-01 as text, in the proleptic Gregorian calendar. Years are 0 to 9999. */

/** `YYYY-MM-DD`. */
export function dateText(days: number): string {
  // A year begins in March here, so that the leap day is the last day. An era is 400 years.
  const sinceMarchOfYear0 = days + 719_468
  const era = Math.floor(sinceMarchOfYear0 / ERA_DAYS)
  const dayOfEra = sinceMarchOfYear0 - era * ERA_DAYS
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1_460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / (ERA_DAYS - 1))) /
      365,
  )
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const monthFromMarch = Math.floor((5 * dayOfYear + 2) / 153)
  const day = dayOfYear - Math.floor((153 * monthFromMarch + 2) / 5) + 1
  const month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
  const year = 400 * era + yearOfEra + (month <= 2 ? 1 : 0)
  return `${padded(year, 4)}-${padded(month, 2)}-${padded(day, 2)}`
}

/** `HH:MM:SS` of seconds since midnight. */
export function clockText(seconds: number): string {
  const hours = Math.floor(seconds / 3_600)
  const minutes = Math.floor(seconds / 60) % 60
  return `${padded(hours, 2)}:${padded(minutes, 2)}:${padded(seconds % 60, 2)}`
}

const ERA_DAYS = 146_097

function padded(value: number, digits: number): string {
  return String(value).padStart(digits, '0')
}
