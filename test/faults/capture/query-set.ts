/** Queries that are kept up to date during the load, and their schema. */

export const PRISMA = `
datasource db {
  provider = "postgresql"
  url      = env("DATABASE_URL")
}
model Customer {
  id     Int     @id
  region String
  name   String?
  v      BigInt
  @@map("customers")
}
model Order {
  id         Int     @id
  customerId Int     @map("customer_id")
  amount     Decimal @db.Decimal(10, 2)
  note       String?
  big        String?
  v          BigInt
  @@map("orders")
}
model Tag {
  orderId Int    @map("order_id")
  label   String
  v       BigInt
  @@id([label, orderId])
  @@map("tags")
}`

export const QUERIES: readonly string[] = [
  'SELECT c.region, count(*) AS n, sum(o.amount) AS total, avg(o.amount) AS mean, max(o.amount) AS largest FROM orders o JOIN customers c ON c.id = o.customer_id GROUP BY c.region',
  'SELECT count(*) AS n, sum(v) AS versions, min(id) AS first, max(id) AS last FROM orders',
  'SELECT label, count(*) AS n, count(DISTINCT order_id) AS orders FROM tags GROUP BY label',
  'SELECT length(big) AS size, count(*) AS n FROM orders GROUP BY length(big)',
  'SELECT region, count(name) AS named, min(id) AS first FROM customers GROUP BY region HAVING count(*) > 1',
  'SELECT c.id, count(o.id) AS n FROM customers c LEFT JOIN orders o ON o.customer_id = c.id GROUP BY c.id',
  'SELECT note, count(*) AS n FROM orders WHERE amount > 5 GROUP BY note',
  'SELECT DISTINCT region FROM customers',
  'SELECT id, region FROM customers WHERE id < 100',
  'SELECT customer_id % 10 AS bucket, sum(amount) AS total FROM orders GROUP BY customer_id % 10',
]
