import LinearAlgebra
import Rewriting
import Symmetries
import Synchronization

/// One element for all sites of a group, as an example of those that are drawn, and how long that took.
final class SampleElements: ElementProvider {
    private struct Sample {
        let element: Element
        let seconds: Double
    }

    /// Some laws draw again and again until an element will do: the mean of so many draws is taken, or of as many as there is time for.
    private static let (draws, patience) = (16, 0.01)

    let law: DrawLaw
    private let samples = Mutex<[String: Sample]>([:])

    init(_ law: DrawLaw) { self.law = law }

    var isExact: Bool { law.sampler == .exact }

    func element(at site: Site) throws -> Element { try sample(site.group).element }

    /// Processor seconds of one draw.
    func seconds(at site: Site) throws -> Double { try sample(site.group).seconds }

    /// How an element acts on channels: what tells apart how long that takes.
    func form(at site: Site) throws -> String { "\(try sample(site.group).element.form) \(site.group.dimension)" }

    private func sample(_ group: Group) throws -> Sample {
        let name = "\(group)"
        if let known = samples.withLock({ $0[name] }) { return known }
        var stream = KeyedRandomStream(secret: [], info: "forecast")
        let started = ProcessUsage.threadSeconds
        var (element, count, taken): (Element, Int, Double)
        (count, taken) = (0, 0)
        repeat {
            element = try group.sample(law.sampler, condition: law.condition, using: &stream)
            count += 1
            taken = ProcessUsage.threadSeconds - started
        } while count < Self.draws && taken < Self.patience
        let sample = Sample(element: element, seconds: taken / Double(count))
        samples.withLock { $0[name] = sample }
        return sample
    }
}

extension Element {
    fileprivate var form: String {
        switch self {
        case .linear: "matrix"
        case .torus: "turns"
        case .monomial: "moves"
        case .rotation: "rotation"
        case .product(let factors): factors.map(\.form).joined(separator: " and ")
        }
    }
}
