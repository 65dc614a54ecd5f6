/** Tables of the schema `orders`, as migrations/ makes them. Amounts are exact decimal texts. */
export interface Database {
  orders: {
    id: string
    user_id: string
    status: 'PLACED' | 'PROCESSING' | 'SHIPPED' | 'DELIVERED' | 'CANCELLED'
    placed_at: Date
    total: string
    currency: string
    cancellation_reason: string | null
  }
  order_items: {
    order_id: string
    position: number
    sku: string
    name: string
    quantity: number
    unit_price: string
  }
  shipments: {
    order_id: string
    carrier: string
    tracking_code: string
    status: 'IN_TRANSIT' | 'OUT_FOR_DELIVERY' | 'DELIVERED'
    shipped_at: Date
    expected_at: Date
    delivered_at: Date | null
  }
}
