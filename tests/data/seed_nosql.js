// MongoDB schema design for real-time analytics system

// User activity collection (time-series optimized)
db.createCollection("user_activities", {
  timeseries: {
    timeField: "timestamp",
    metaField: "metadata",
    granularity: "seconds"
  },
  expireAfterSeconds: 7776000 // 90 days
});

// Sample document structure
{
  timestamp: ISODate("2024-01-15T10:30:00Z"),
  metadata: {
    userId: ObjectId("507f1f77bcf86cd799439011"),
    sessionId: "550e8400-e29b-41d4-a716-446655440000",
    deviceType: "mobile",
    appVersion: "2.1.0"
  },
  eventType: "page_view",
  eventData: {
    page: "/products/electronics",
    referrer: "/home",
    loadTime: 1250,
    viewport: { width: 375, height: 812 }
  },
  location: {
    type: "Point",
    coordinates: [-73.97, 40.77] // [longitude, latitude]
  }
}

// Create indexes for efficient querying
db.user_activities.createIndex({ "metadata.userId": 1, "timestamp": -1 });
db.user_activities.createIndex({ "eventType": 1, "timestamp": -1 });
db.user_activities.createIndex({ "location": "2dsphere" });

// Product catalog with flexible schema
db.products.insertOne({
  _id: ObjectId(),
  sku: "ELEC-PHONE-001",
  name: "Smartphone Pro Max",
  brand: "TechCorp",
  categories: ["Electronics", "Mobile Phones", "5G Devices"],
  
  // Flexible attributes based on product type
  specifications: {
    general: {
      releaseDate: ISODate("2023-09-15"),
      weight: { value: 195, unit: "grams" },
      dimensions: {
        height: 147.5,
        width: 71.5,
        depth: 7.85,
        unit: "mm"
      }
    },
    display: {
      size: 6.7,
      resolution: "2796 x 1290",
      type: "OLED",
      refreshRate: 120
    },
    performance: {
      processor: "A17 Bionic",
      ram: { value: 8, unit: "GB" },
      storage: [128, 256, 512, 1024] // Available options
    }
  },
  
  // Embedded pricing with history
  pricing: {
    current: {
      amount: 1199.99,
      currency: "USD",
      validFrom: ISODate("2024-01-01")
    },
    history: [
      {
        amount: 1299.99,
        currency: "USD",
        validFrom: ISODate("2023-09-15"),
        validTo: ISODate("2023-12-31")
      }
    ]
  },
  
  // Denormalized review summary
  reviewSummary: {
    averageRating: 4.7,
    totalReviews: 1523,
    distribution: {
      5: 1100,
      4: 300,
      3: 80,
      2: 30,
      1: 13
    },
    lastUpdated: ISODate("2024-01-15")
  },
  
  // Inventory across locations
  inventory: [
    {
      warehouseId: "WH-US-EAST-01",
      available: 156,
      reserved: 23,
      incoming: 200,
      expectedDate: ISODate("2024-01-20")
    },
    {
      warehouseId: "WH-US-WEST-02",
      available: 89,
      reserved: 12,
      incoming: 0
    }
  ],
  
  // SEO and search optimization
  searchTerms: [
    "smartphone", "5g phone", "pro max", "techcorp mobile",
    "flagship phone", "oled display phone"
  ],
  
  tags: ["bestseller", "new-arrival", "free-shipping"],
  
  isActive: true,
  createdAt: ISODate("2023-09-01"),
  updatedAt: ISODate("2024-01-15")
});

// Compound indexes for common queries
db.products.createIndex({ "categories": 1, "pricing.current.amount": 1 });
db.products.createIndex({ "brand": 1, "reviewSummary.averageRating": -1 });
db.products.createIndex({ "searchTerms": 1 });
db.products.createIndex({ "inventory.warehouseId": 1, "inventory.available": 1 });

// User session collection with TTL
db.sessions.createIndex({ "expiresAt": 1 }, { expireAfterSeconds: 0 });

// Shopping cart with embedded items
db.carts.insertOne({
  _id: ObjectId(),
  userId: ObjectId("507f1f77bcf86cd799439011"),
  sessionId: "550e8400-e29b-41d4-a716-446655440000",
  
  items: [
    {
      productId: ObjectId("607f1f77bcf86cd799439012"),
      sku: "ELEC-PHONE-001",
      name: "Smartphone Pro Max",
      quantity: 1,
      unitPrice: 1199.99,
      totalPrice: 1199.99,
      addedAt: ISODate("2024-01-15T10:30:00Z"),
      
      // Snapshot of product details at time of adding
      snapshot: {
        image: "https://cdn.example.com/products/phone-001.jpg",
        color: "Space Gray",
        storage: "256GB"
      }
    }
  ],
  
  summary: {
    itemCount: 1,
    subtotal: 1199.99,
    tax: 95.99,
    shipping: 0,
    total: 1295.98
  },
  
  appliedCoupons: [],
  
  createdAt: ISODate("2024-01-15T10:30:00Z"),
  updatedAt: ISODate("2024-01-15T10:35:00Z"),
  expiresAt: ISODate("2024-01-22T10:30:00Z") // 7 days TTL
});
