import Symmetries

/// Gives the element that acts at each site: drawn under a key, solved for, or estimated by somebody who has none.
public protocol ElementProvider: Sendable {
    /// Whether its elements move bits and round nothing.
    var isExact: Bool { get }

    /// The same element for the same site, from any thread.
    func element(at site: Site) throws -> Element
}

/// Elements that are known one by one.
public struct RecordedElements: ElementProvider {
    public let isExact: Bool
    private let elements: [String: Element]

    /// - Parameter elements: by the paths of their sites.
    public init(_ elements: [String: Element], isExact: Bool) {
        (self.elements, self.isExact) = (elements, isExact)
    }

    public func element(at site: Site) throws(RewritingError) -> Element {
        guard let element = elements[site.path], site.group.takes(element) else {
            throw .noElement(site: site.path)
        }
        return element
    }
}

extension Group {
    /// Whether an element has the size and the form that this group's elements are kept in.
    fileprivate func takes(_ element: Element) -> Bool {
        guard element.dimension == dimension else { return false }
        return switch (self, element) {
        case (.orthogonal, .rotation): true
        case (.monomial, .monomial(let monomial)):
            monomial.isExact && Set(monomial.source) == Set(0..<dimension)
        case (.orthogonal, _), (.monomial, _): false
        case (.product(let factors), .product(let elements)):
            factors.count == elements.count && zip(factors, elements).allSatisfy { $0.takes($1) }
        default: true
        }
    }
}
