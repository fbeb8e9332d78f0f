import Foundations
import Testing

@Suite struct ByteSizeTests {
    @Test(
        arguments: [
            ("5GB", 5_000_000_000), ("1GiB", 1 << 30), ("200MB", 200_000_000), ("1.5KB", 1500), ("7", 7),
            ("10 MiB", 10 << 20), ("2TB", 2_000_000_000_000), ("12B", 12), ("", nil), ("GB", nil), ("-1GB", nil),
            ("5XB", nil), ("0", nil), ("1e3", nil), ("99999999TB", nil), ("nan", nil), ("1.2.3GB", nil),
        ] as [(String, Int?)])
    func sizesAreReadAsHuggingFaceDoes(text: String, expected: Int?) {
        #expect(ByteSize.parse(text) == expected)
    }
}
