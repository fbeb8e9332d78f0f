import Symmetries

/// The powers of two that go before the elements of some sites, as bytes.
///
/// Per balanced site, in the order of the sites: how many sites without one go before, as a base-128 number; the smallest exponent,
/// as one signed byte; the bits that the others' excess over it takes, one byte; and the excess of each channel, packed low bits first.
package enum BalanceTable {
    private static let purpose = "balance"

    /// What a manifest keeps of it; nil where no site is balanced.
    static func seal(_ exponents: [String: [Int]], of sites: [Site], by derivation: Derivation) throws -> [UInt8]? {
        exponents.isEmpty ? nil : try derivation.seal(encode(exponents, sites: sites), purpose: purpose)
    }

    /// - Throws: `ProtectionError.manifest` when what the manifest keeps was not sealed for these sites under this key.
    static func open(
        _ manifest: Manifest, of sites: [Site], by derivation: Derivation, path: String
    ) throws -> [String: [Int]] {
        guard let sealed = manifest.balance else { return [:] }
        guard let bytes = derivation.open(sealed, purpose: purpose), let exponents = decode(bytes, sites: sites) else {
            throw ProtectionError.manifest(path: path, field: purpose)
        }
        return exponents
    }

    package static func encode(_ exponents: [String: [Int]], sites: [Site]) -> [UInt8] {
        var bytes: [UInt8] = []
        var skipped = 0
        for site in sites {
            guard let own = exponents[site.path], let low = own.min(), let high = own.max() else {
                skipped += 1
                continue
            }
            while skipped >= 128 {
                bytes.append(UInt8(truncatingIfNeeded: skipped) | 128)
                skipped >>= 7
            }
            bytes.append(UInt8(skipped))
            skipped = 0
            let width = Int.bitWidth - (high - low).leadingZeroBitCount
            bytes += [UInt8(bitPattern: Int8(clamping: low)), UInt8(width)]
            var (pending, count) = (0, 0)
            for exponent in own {
                pending |= (exponent - low) << count
                count += width
                while count >= 8 {
                    bytes.append(UInt8(truncatingIfNeeded: pending))
                    (pending, count) = (pending >> 8, count - 8)
                }
            }
            if count > 0 { bytes.append(UInt8(truncatingIfNeeded: pending)) }
        }
        return bytes
    }

    /// Nil when the bytes do not belong to these sites.
    package static func decode(_ bytes: [UInt8], sites: [Site]) -> [String: [Int]]? {
        var exponents: [String: [Int]] = [:]
        var (next, place) = (0, 0)
        func byte() -> Int? {
            guard place < bytes.count else { return nil }
            defer { place += 1 }
            return Int(bytes[place])
        }
        while place < bytes.count {
            var (skipped, shift) = (0, 0)
            repeat {
                guard shift < 56, let digits = byte() else { return nil }
                skipped |= (digits & 127) << shift
                shift = digits < 128 ? -1 : shift + 7
            } while shift >= 0
            guard skipped < sites.count - next, let first = byte(), let width = byte(), width <= 8 else { return nil }
            let site = sites[next + skipped]
            next += skipped + 1
            let low = Int(Int8(truncatingIfNeeded: first))
            var own: [Int] = []
            var (pending, count) = (0, 0)
            for _ in 0..<site.group.dimension {
                while count < width {
                    guard let more = byte() else { return nil }
                    pending |= more << count
                    count += 8
                }
                own.append(low + pending & (1 << width - 1))
                pending >>= width
                count -= width
            }
            exponents[site.path] = own
        }
        return exponents
    }
}
