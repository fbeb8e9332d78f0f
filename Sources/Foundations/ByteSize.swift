/// Sizes as people write them: decimal units as in Hugging Face's `max_shard_size` (GB = 10⁹) and binary ones (GiB = 2³⁰).
public enum ByteSize {
    private static let units: [(suffix: String, factor: Int)] = [
        ("KIB", 1 << 10), ("MIB", 1 << 20), ("GIB", 1 << 30), ("TIB", 1 << 40),
        ("KB", 1_000), ("MB", 1_000_000), ("GB", 1_000_000_000), ("TB", 1_000_000_000_000), ("B", 1),
    ]

    /// The bytes of `5GB`, `500MB`, `2.5GiB` or a plain number of bytes, at least one; nil for any other text.
    public static func parse(_ text: String) -> Int? {
        let upper = text.uppercased().filter { $0 != " " }
        let unit = units.first { upper.hasSuffix($0.suffix) }
        let digits = upper.dropLast(unit?.suffix.count ?? 0)
        guard !digits.isEmpty, digits.allSatisfy({ $0.isASCII && ($0.isNumber || $0 == ".") }),
            let value = Double(digits)
        else { return nil }
        let bytes = value * Double(unit?.factor ?? 1)
        guard bytes >= 1, bytes < 0x1p62 else { return nil }
        return Int(bytes)
    }

    /// Decimal, three digits: `1.43 GB`.
    public static func format(_ bytes: Int) -> String {
        var value = Double(bytes)
        var unit = 0
        let names = ["B", "kB", "MB", "GB", "TB"]
        while value >= 999.5, unit < names.count - 1 {
            value /= 1000
            unit += 1
        }
        let digits = unit == 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2
        var factor = 1.0
        for _ in 0..<digits { factor *= 10 }
        let scaled = Int((value * factor).rounded())
        guard digits > 0 else { return "\(scaled) \(names[unit])" }
        let fraction = String(scaled % Int(factor))
        let padding = String(repeating: "0", count: digits - fraction.count)
        return "\(scaled / Int(factor)).\(padding)\(fraction) \(names[unit])"
    }
}
