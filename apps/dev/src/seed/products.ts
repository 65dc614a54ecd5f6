export interface Product {
  readonly sku: string
  readonly name: string
  /** In cents. */
  readonly price: number
}

/** What the shops of both tenants sell, by department: names and prices in cents. */
const departments: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  DESK: {
    'Desk lamp': 4990,
    'Office chair': 18_900,
    'Standing desk': 39_900,
    'Monitor arm': 8450,
    Footrest: 3495,
    'Desk mat': 2490,
    'Pen holder': 990,
    Bookend: 1250,
  },
  TECH: {
    'USB-C cable': 1299,
    'Wireless mouse': 3999,
    'Mechanical keyboard': 10_990,
    Headphones: 15_950,
    Webcam: 6990,
    'Power bank': 2999,
    'Laptop sleeve': 2550,
    'Docking station': 17_900,
    'E-book reader': 12_999,
  },
  HOME: {
    'Water bottle': 1895,
    'Coffee grinder': 7490,
    'Tea pot': 3290,
    'Wool blanket': 5900,
    'Wall clock': 2790,
    Umbrella: 1999,
    'Bath towel': 1690,
    'Cutting board': 2350,
    'Frying pan': 4495,
    'Storage box': 1190,
  },
  TRIP: {
    Backpack: 8900,
    Suitcase: 14_900,
    'Travel pillow': 2195,
    'Rain jacket': 9990,
    'Hiking socks': 1450,
    'Head torch': 2899,
    'Pocket knife': 3150,
    'Bicycle lock': 4290,
    'Bicycle pump': 2690,
  },
  BOOK: {
    Notebook: 750,
    'Fountain pen': 2950,
    'Wall calendar': 1590,
    Atlas: 4900,
    'Cookery book': 2800,
    'Jigsaw puzzle': 1999,
  },
}

export const products: readonly Product[] = Object.entries(departments).flatMap(([department, priced]) =>
  Object.entries(priced).map(([name, price], index) => ({
    sku: `${department}-${String(index + 1).padStart(3, '0')}`,
    name,
    price,
  })),
)
