//! What people are called, where they ring from, and what they talk about, language by language.
//!
//! Lines alternate, and the agent speaks first. `{customer}`, `{agent}`, `{order}` and `{amount}` are filled in.

use fastrand::Rng;

/// Somebody.
pub(super) struct Person {
    pub(super) given: &'static str,
    pub(super) name: String,
    pub(super) tel: String,
    pub(super) mailto: String,
}

/// How an agent wraps up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mood {
    Question,
    Complaint,
    Interest,
}

/// What a conversation is about, and how it goes.
#[derive(Debug)]
pub(super) struct Matter {
    pub(super) topic: &'static str,
    pub(super) mood: Mood,
    pub(super) subject: &'static str,
    pub(super) summary: &'static str,
    pub(super) lines: &'static [&'static str],
}

/// One language with its people.
#[derive(Debug)]
pub(super) struct Language {
    pub(super) code: &'static str,
    given: &'static [&'static str],
    family: &'static [&'static str],
    /// Whether the family name comes first.
    family_first: bool,
    /// Numbers that are set aside for fiction: all but the last two digits.
    numbers: &'static [&'static str],
    /// The subject of a call in which nobody spoke.
    pub(super) hung_up: &'static str,
    pub(super) matters: &'static [Matter],
}

impl Language {
    /// Makes somebody up.
    pub(super) fn person(&self, rng: &mut Rng) -> Person {
        let given = self.given[rng.usize(..self.given.len())];
        let family = self.family[rng.usize(..self.family.len())];
        let name = if self.family_first { format!("{family} {given}") } else { format!("{given} {family}") };
        let tel = format!("{}{:02}", self.numbers[rng.usize(..self.numbers.len())], rng.u32(..100));
        let mailto = format!("{}.{}@example.com", self.code, rng.u32(1000..10_000));
        Person { given, name, tel, mailto }
    }
}

/// Chooses a language: English half of the time.
pub(super) fn any(rng: &mut Rng) -> &'static Language {
    if rng.bool() { &ALL[0] } else { &ALL[rng.usize(1..ALL.len())] }
}

/// All of them, English first.
pub(super) const ALL: &[Language] = &[
    Language {
        code: "en",
        given: &[
            "Alma", "Chidi", "Dana", "Grace", "Hamish", "Imani", "Jonas", "Maeve", "Omar", "Priya", "Ruth",
            "Theo",
        ],
        family: &[
            "Abel", "Byrne", "Castro", "Douglas", "Haddad", "Jansen", "Kaur", "Okafor", "Nwosu", "Price",
            "Reid",
        ],
        family_first: false,
        numbers: &["+120255501", "+141555501", "+121255501", "+4420794601", "+4420794606"],
        hung_up: "Nobody spoke",
        matters: &[
            Matter {
                topic: "billing",
                mood: Mood::Complaint,
                subject: "Charged twice for one order",
                summary: "The customer was charged twice for one order and is angry about it. The second charge is being refunded.",
                lines: &[
                    "Good morning, this is {agent} from customer care. How can I help?",
                    "Hello, {customer} speaking. You have taken {amount} from my card twice for order {order}.",
                    "I am sorry. I see both charges, three minutes apart. That should not have happened.",
                    "It is the second time this year, and I want to make a complaint about it.",
                    "I have noted the complaint, and the second charge is on its way back to you.",
                    "How long does that take? I have waited long enough.",
                    "Five working days at most. Somebody will call you tomorrow about the complaint.",
                    "Good. I will be at home until noon. Goodbye.",
                ],
            },
            Matter {
                topic: "support",
                mood: Mood::Question,
                subject: "Router loses the connection every evening",
                summary: "The connection dropped each evening because of a timer left by the previous owner. The timer was removed.",
                lines: &[
                    "Technical support, {agent} here, what can I do for you?",
                    "My connection drops every evening at eight and comes back an hour later.",
                    "Always at the same time? Then it may be a timer. Did you buy the router new?",
                    "No, second-hand, in December. Where would I find such a timer?",
                    "Under internet, access times. Is there an entry in the list?",
                    "There is, it says children, eight to nine. I am deleting it now.",
                    "Then tonight it should stay on. If not, ring us with number {order}.",
                    "Wonderful, thank you, {agent}.",
                ],
            },
            Matter {
                topic: "sales",
                mood: Mood::Interest,
                subject: "Which plan for a team of nine?",
                summary: "A team of nine asks for the small plan. A free month and an offer by mail were promised.",
                lines: &[
                    "Hello and welcome to sales, my name is {agent}.",
                    "Hi, we are nine people in the office. Which plan would you take?",
                    "The one for small teams. It goes up to fifteen, and costs {amount} a month all in all.",
                    "And may we try it first, without paying?",
                    "For a month, and it ends by itself.",
                    "Then please send me an offer that I can show to the others.",
                    "With pleasure. May I call you on Tuesday?",
                    "Tuesday is good. Ask for {customer}.",
                ],
            },
        ],
    },
    Language {
        code: "de",
        given: &["Annika", "Björn", "Emre", "Gülcan", "Jürgen", "Käthe", "Malte", "Søren", "Ute"],
        family: &["Brandt", "Fischer", "Größmann", "Kowalski", "Löwe", "Müller", "Strauß", "Yıldız"],
        family_first: false,
        numbers: &["+4930231250", "+4930231251", "+4930231257"],
        hung_up: "Niemand hat gesprochen",
        matters: &[
            Matter {
                topic: "delivery",
                mood: Mood::Complaint,
                subject: "Paket zum zweiten Mal nicht angekommen",
                summary: "Die Kundin hat ihr Paket zum zweiten Mal nicht erhalten und beschwert sich. Es wird heute neu verschickt.",
                lines: &[
                    "Guten Tag, hier ist der Kundendienst, {agent} am Apparat.",
                    "Grüß Gott, {customer} mein Name. Bestellung {order} ist schon wieder nicht angekommen.",
                    "Das tut mir leid. Der Bote schreibt, er habe die Straße nicht gefunden.",
                    "Das hat er vor zwei Wochen auch geschrieben. Ich möchte mich beschweren.",
                    "Die Beschwerde ist aufgenommen. Das Paket geht heute noch einmal hinaus, mit Eilboten.",
                    "Und wer erstattet mir die {amount} Euro für den Versand?",
                    "Wir. Morgen ruft Sie jemand zurück und bestätigt beides.",
                    "Na gut. Auf Wiederhören.",
                ],
            },
            Matter {
                topic: "account",
                mood: Mood::Question,
                subject: "Neue Anschrift nach dem Umzug",
                summary: "Der Kunde ist umgezogen. Anschrift und Bankverbindung wurden geändert.",
                lines: &[
                    "Kundendienst, {agent}, was kann ich für Sie tun?",
                    "Ich bin umgezogen und möchte meine Anschrift ändern. Kundennummer {order}.",
                    "Gerne. Wie lautet die neue?",
                    "Süderstraße fünf, im zweiten Stock.",
                    "Ist eingetragen. Bleibt die Bankverbindung die gleiche?",
                    "Ja, die bleibt. Vielen Dank, das ging schnell.",
                ],
            },
            Matter {
                topic: "sales",
                mood: Mood::Interest,
                subject: "Angebot für eine Praxis mit vier Plätzen",
                summary: "Eine Arztpraxis möchte ein Angebot für vier Plätze mit Aufzeichnung im eigenen Haus.",
                lines: &[
                    "Herzlich willkommen beim Vertrieb, Sie sprechen mit {agent}.",
                    "Guten Tag, wir sind eine Praxis mit vier Plätzen und suchen eine neue Anlage.",
                    "Sollen die Gespräche aufgezeichnet werden?",
                    "Ja, aber die Aufnahmen müssen bei uns im Haus bleiben.",
                    "Das geht, für {amount} Euro im Monat. Darf ich Ihnen das schriftlich schicken?",
                    "Bitte, zu Händen von {customer}.",
                ],
            },
        ],
    },
    Language {
        code: "es",
        given: &["Begoña", "Íñigo", "José", "Lucía", "Nuria", "Óscar", "Ximena"],
        family: &["Castaño", "García", "Ibáñez", "Núñez", "Peña", "Vázquez"],
        family_first: false,
        numbers: &["+130555501", "+191555501"],
        hung_up: "Nadie habló",
        matters: &[
            Matter {
                topic: "cancellation",
                mood: Mood::Complaint,
                subject: "Quiero darme de baja",
                summary: "La clienta pidió la baja hace un mes y le han vuelto a cobrar. Se tramita la baja y la devolución.",
                lines: &[
                    "Buenos días, le atiende {agent}. ¿En qué puedo ayudarle?",
                    "Soy {customer}. Pedí la baja hace un mes y me han cobrado otra vez {amount}.",
                    "Lo siento mucho. Veo la petición, pero nadie la tramitó.",
                    "¡Eso no puede ser! Quiero poner una reclamación.",
                    "Queda registrada con el número {order}, y la baja está hecha desde hoy.",
                    "¿Y el dinero?",
                    "Se lo devolvemos esta semana. Mañana le llamará una compañera.",
                    "Eso espero. Adiós.",
                ],
            },
            Matter {
                topic: "appointment",
                mood: Mood::Question,
                subject: "Cambiar la cita del técnico",
                summary: "La visita del técnico se cambia del martes al jueves por la mañana.",
                lines: &[
                    "Servicio técnico, buenas tardes.",
                    "Hola, el martes no estaré en casa. ¿Puede venir el técnico otro día?",
                    "El jueves entre las nueve y las once, ¿le viene bien?",
                    "Perfecto. El pedido es el {order}.",
                    "Apuntado. Recibirá un mensaje la víspera.",
                    "Muchas gracias, {agent}.",
                ],
            },
        ],
    },
    Language {
        code: "fr",
        given: &["Anaïs", "Benoît", "Chloé", "Fatou", "Gaël", "Hélène", "Noël", "Zoé"],
        family: &["Béranger", "Dubois", "Lefèvre", "Traoré", "Nguyễn", "Renaud"],
        family_first: false,
        numbers: &["+331990010", "+331990025", "+331990047"],
        hung_up: "Personne n’a parlé",
        matters: &[
            Matter {
                topic: "refund",
                mood: Mood::Complaint,
                subject: "Toujours pas remboursée",
                summary: "La cliente attend son remboursement depuis six semaines et dépose une réclamation.",
                lines: &[
                    "Service client bonjour, {agent} à votre écoute.",
                    "Bonjour, {customer}. J’attends le remboursement de la commande {order} depuis six semaines.",
                    "Je suis désolé. Le virement de {amount} euros a été refusé par votre banque.",
                    "Et personne ne m’a prévenue ! Je souhaite faire une réclamation.",
                    "C’est noté, et je relance le virement tout de suite.",
                    "Rappelez-moi quand c’est fait, s’il vous plaît.",
                    "Demain avant midi, c’est promis.",
                    "Très bien, merci.",
                ],
            },
            Matter {
                topic: "sales",
                mood: Mood::Interest,
                subject: "Un abonnement pour l’école",
                summary: "Une école demande un devis pour trente postes à la rentrée.",
                lines: &[
                    "Service commercial, {agent}, bonjour.",
                    "Bonjour, je vous appelle d’une école. Il nous faudrait trente postes à la rentrée.",
                    "Avec plaisir. Souhaitez-vous la messagerie aussi ?",
                    "Oui, et la garde des enregistrements pendant un an.",
                    "Cela ferait {amount} euros par mois. Je vous envoie le devis.",
                    "Parfait, adressez-le à {customer}.",
                ],
            },
        ],
    },
    Language {
        code: "ja",
        given: &["葵", "健太", "さくら", "翔", "陽菜", "大輔"],
        family: &["佐藤", "鈴木", "高橋", "田中", "渡辺"],
        family_first: true,
        numbers: &["+180855501", "+120655501"],
        hung_up: "無言のまま切れた電話",
        matters: &[
            Matter {
                topic: "delivery",
                mood: Mood::Question,
                subject: "配達日の変更",
                summary: "お客様のご希望により、配達日を土曜日の午前に変更した。",
                lines: &[
                    "お電話ありがとうございます。担当の{agent}でございます。",
                    "もしもし、{customer}ですが、注文番号{order}の配達日を変えられますか。",
                    "はい、いつがよろしいでしょうか。",
                    "土曜日の午前中にお願いします。",
                    "かしこまりました。土曜日の午前で承りました。",
                    "ありがとうございます。助かります。",
                ],
            },
            Matter {
                topic: "quality",
                mood: Mood::Complaint,
                subject: "届いた商品が壊れていた",
                summary: "届いた商品が壊れていたとの苦情。代わりの品を本日発送し、明日担当者から電話する。",
                lines: &[
                    "お客様相談室の{agent}でございます。",
                    "今日届いた商品が壊れています。注文番号は{order}です。",
                    "大変申し訳ございません。すぐに代わりの品をお送りします。",
                    "前回もそうでした。どうなっているんですか。",
                    "おっしゃる通りです。明日、担当者からお電話いたします。",
                    "必ずお願いします。",
                ],
            },
        ],
    },
];
