/** Lines as a web server logs them: 110 to 180 bytes, as compressible as such lines are. */

const AGENTS = [
  'Mozilla/5.0 (X11; Linux x86_64; rv:126.0) Gecko/20100101 Firefox/126.0',
  'Mozilla/5.0 (Macintosh; Intel Mac OS X 14_5) AppleWebKit/605.1.15 Safari/605.1.15',
  'curl/8.5.0',
  'Googlebot/2.1 (+http://www.google.com/bot.html)',
]
const PATHS = ['/', '/products', '/products/search?q=', '/cart', '/api/v1/orders/', '/static/app.css']
const STATUS = [200, 200, 200, 200, 304, 404, 302, 500]

export function logLine(at: number): string {
  const address = `${10 + below(200)}.${below(256)}.${below(256)}.${below(256)}`
  const time = `17/May/2024:${two(10 + at / 3600)}:${two((at / 60) % 60)}:${two(at % 60)} +0000`
  const path = `${PATHS[below(PATHS.length)]}${below(100_000)}`
  const rest = `${STATUS[below(STATUS.length)]} ${below(50_000)} "-" "${AGENTS[below(AGENTS.length)]}"`
  return `${address} - - [${time}] "GET ${path} HTTP/1.1" ${rest}`
}

function below(limit: number): number {
  return Math.floor(Math.random() * limit)
}

function two(value: number): string {
  return String(Math.floor(value)).padStart(2, '0')
}
