//! What people in generated conversations are called and talk about.

use fastrand::Rng;

/// Somebody.
pub(super) struct Person {
    pub(super) name: String,
    pub(super) tel: String,
    pub(super) mailto: String,
}

/// What a conversation is about, and how it goes: lines alternate between the two sides.
pub(super) struct Topic {
    pub(super) tag: &'static str,
    pub(super) subject: &'static str,
    pub(super) summary: &'static str,
    pub(super) lines: &'static [&'static str],
}

const GIVEN: &[&str] =
    &["Alma", "Björn", "Chidi", "Dana", "Emre", "Fatou", "Goran", "Hana", "Ines", "Jonas", "Keiko", "Luis"];
const FAMILY: &[&str] =
    &["Abel", "Brandt", "Castro", "Dvořák", "Eriksen", "Fischer", "Gomez", "Haddad", "Ito", "Jansen"];

/// Makes somebody up.
pub(super) fn person(rng: &mut Rng) -> Person {
    let (given, family) = (pick(rng, GIVEN), pick(rng, FAMILY));
    // 555-01xx is set aside for fiction.
    let tel = format!("+1{}55501{:02}", rng.u32(201..989), rng.u32(0..100));
    let mailto = format!("{}.{}@example.com", given.to_lowercase(), rng.u32(1..1000));
    Person { name: format!("{given} {family}"), tel, mailto }
}

/// Chooses what a conversation is about.
pub(super) fn topic(rng: &mut Rng) -> &'static Topic {
    &TOPICS[rng.usize(..TOPICS.len())]
}

fn pick(rng: &mut Rng, from: &[&'static str]) -> &'static str {
    from[rng.usize(..from.len())]
}

const TOPICS: &[Topic] = &[
    Topic {
        tag: "billing",
        subject: "Charged twice for the January order",
        summary: "The customer was charged twice for one order. The agent found the second charge, confirmed that it \
                  was a mistake and refunded it; the refund arrives within five working days.",
        lines: &[
            "Good morning, customer care, how can I help you today?",
            "Hello, I looked at my card statement and your shop is on it twice for the same order.",
            "I am sorry to hear that. May I have the order number, please?",
            "Yes, one moment, it is four seven one one, from the eighth of January.",
            "Thank you. I see the order and two charges of twelve fifty, three minutes apart.",
            "Right, and I have certainly only ordered it once, the parcel came last week.",
            "The second one comes from a page that was sent again. That should not have happened.",
            "So will I get the money back, or do I have to write to somebody?",
            "No need to write. I am refunding the second charge now, while we speak.",
            "That is quick. When will it show up on the card?",
            "Usually within five working days, depending on your bank.",
            "Fine. Could you send me that in a mail, so that I have it in writing?",
            "Of course, it goes to the address of the order. You should have it in a minute.",
            "I have it already. Thank you very much for your help.",
            "You are welcome, and sorry again. Have a nice day.",
            "You too, goodbye.",
        ],
    },
    Topic {
        tag: "support",
        subject: "Router loses the connection every evening",
        summary: "The customer loses the connection each evening at eight. The cause was a timer in the router left \
                  over from the previous owner; it was removed and the firmware brought up to date.",
        lines: &[
            "Technical support, good evening, what can I do for you?",
            "My connection drops every evening at about eight, and comes back an hour later.",
            "Every evening at the same time, is that right? Then it may be a timer.",
            "I have not set any timer. I bought the router second-hand in December, though.",
            "Let us look at it together. Can you open the page of the router on your computer?",
            "Yes, I am on it, it says home network, internet, telephone and system.",
            "Please choose internet and then access times. Is there an entry in the list?",
            "Indeed, there is one, it says children, from eight until nine, every day.",
            "There we are. That is from the owner before you. You can delete it.",
            "Done. The list is empty now. Do I have to start it again?",
            "No, it works at once. While you are there, look at system and then update.",
            "It offers a new version from last week, shall I take it?",
            "Yes, please. It takes three minutes, and the light blinks for a while.",
            "It is blinking. So tonight it should stay on after eight?",
            "It should. If it does not, call us with this number, I have put a note there.",
            "Wonderful, thank you, good night.",
        ],
    },
    Topic {
        tag: "sales",
        subject: "Question about the plan for small teams",
        summary: "A prospective customer with nine users asks about the plan for small teams. The agent explains \
                  prices and limits, offers a free month, and will send an offer by mail.",
        lines: &[
            "Hello and welcome, you are talking to sales. What would you like to know?",
            "Hi, we are nine people in the office, and I wonder which plan would be right for us.",
            "For nine I would take the plan for small teams, it goes up to fifteen users.",
            "And what does that cost, all in all, not per user with a star behind it?",
            "Eighty-one a month for nine, and no further costs. Storage of two hundred hours is part of it.",
            "We record about a hundred hours each month. How long are they kept?",
            "Ninety days in this plan. If you need longer, they can be moved to your own storage.",
            "That is what we want anyway, the recordings have to stay in our own house.",
            "Then that is all you need. Would you like to try it for a month without paying?",
            "I would. Does it end by itself, or do I have to remember to cancel?",
            "It ends by itself, and you are asked a week before whether you want to go on.",
            "Good. Could you send me an offer that I can show to my colleagues?",
            "With pleasure. To which address may I send it?",
            "To the one that I wrote from in the form, please, with nine users.",
            "You will have it within the hour. May I call you next week about it?",
            "Tuesday would be good. Thanks, until then.",
        ],
    },
];
