import Checkpoints
import LinearAlgebra
import Protections
import Symmetries
import TestSupport
import Testing

/// The table of exponents as bytes.
@Suite struct BalanceTableTests {
    private static let sites = (0..<300).map { number in
        Site(path: "site.\(number)", kind: .valueOutput, layer: 0, group: .generalLinear(1 + number % 9), slices: [])
    }

    private func table(_ balanced: [Int], reach: Int) -> [String: [Int]] {
        var stream = KeyedRandomStream(secret: [3], info: "\(balanced)")
        return Dictionary(
            uniqueKeysWithValues: balanced.map { number in
                let site = Self.sites[number]
                return (
                    site.path, (0..<site.group.dimension).map { _ in stream.nextIndex(below: 2 * reach + 1) - reach }
                )
            })
    }

    @Test(
        arguments: [[], [0], [299], [130, 131, 299], Array(0..<300), [3, 17, 200]] as [[Int]], [0, 1, 6, 13, 100])
    func comesBack(balanced: [Int], reach: Int) throws {
        let table = table(balanced, reach: reach)
        let bytes = BalanceTable.encode(table, sites: Self.sites)
        #expect(BalanceTable.decode(bytes, sites: Self.sites) == table)
    }

    /// Bytes that do not belong to the sites end in nil or another table, never in a trap.
    @Test func anyBytes() {
        var stream = KeyedRandomStream(secret: [3], info: "any")
        let good = BalanceTable.encode(table(Array(0..<300), reach: 12), sites: Self.sites)
        for round in 0..<2000 {
            var bytes = round % 2 == 0 ? good : (0..<40).map { _ in UInt8(truncatingIfNeeded: stream.next()) }
            bytes = Array(bytes.prefix(stream.nextIndex(below: bytes.count)))
            if !bytes.isEmpty { bytes[stream.nextIndex(below: bytes.count)] ^= UInt8(1 << stream.nextIndex(below: 8)) }
            for (path, exponents) in BalanceTable.decode(bytes, sites: Self.sites) ?? [:] {
                #expect(Self.sites.first { $0.path == path }?.group.dimension == exponents.count)
            }
        }
        #expect(BalanceTable.decode(good + [0], sites: Self.sites) == nil)
        #expect(BalanceTable.decode(good, sites: Array(Self.sites.dropLast())) == nil)
        #expect(BalanceTable.decode([UInt8](repeating: 0xff, count: 99), sites: Self.sites) == nil)
    }
}
